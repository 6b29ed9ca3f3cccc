/** Property tests: a correct store is never reported as violated, and each kind of broken promise is found. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRandom, type Random } from '../../std/random.ts'
import { createHistoryBuilder, type HistoryBuilder, holding } from '../../testing/history-builder.ts'
import { checkersOf } from './all.ts'
import type { FinalStore, StoredRow } from './final-store.ts'
import { judge, type Verdict } from './verdict.ts'

/** An operation in progress. Either it takes effect and then completes, or its outcome stays unknown. */
interface OpenOperation {
  readonly key: string
  readonly bytes: string
  readonly f: 'save' | 'delete'
  result: string | undefined
  end: (type: 'ok' | 'info', result: string) => void
}

interface Simulation {
  readonly builder: HistoryBuilder
  readonly rows: Map<string, StoredRow>
  readonly open: Set<OpenOperation>
}

const KEYS = ['a', 'b', 'd', 'e']

/** Simulates a correct store under concurrent clients. Clients learn the outcome of some operations only. */
function simulate(random: Random, deletes: boolean): { builder: HistoryBuilder; store: FinalStore } {
  const simulation: Simulation = { builder: createHistoryBuilder(), rows: new Map(), open: new Set() }
  simulation.builder.fault('kill')
  for (let step = 0; step < 120; step++) takeStep(simulation, random, deletes)
  for (const one of simulation.open) finish(simulation, one, random)
  simulation.builder.phase('healed')
  for (const key of KEYS) {
    const one = begin(simulation, { key, bytes: `${key}0`, f: 'save' })
    applyEffect(simulation, one)
    one.end('ok', one.result ?? '')
  }
  return { builder: simulation.builder, store: { rows: [...simulation.rows.values()] } }
}

function takeStep(simulation: Simulation, random: Random, deletes: boolean): void {
  const open = [...simulation.open]
  if (open.length < 6 && random.chance(0.4)) {
    const key = random.pick(KEYS)
    const f = deletes && random.chance(0.25) ? 'delete' : 'save'
    begin(simulation, { key, bytes: `${key}${random.between(0, 2)}`, f })
  } else if (open.length > 0) {
    const one = random.pick(open)
    if (one.result === undefined) applyEffect(simulation, one)
    else finish(simulation, one, random)
  }
}

function begin(simulation: Simulation, what: Pick<OpenOperation, 'key' | 'bytes' | 'f'>): OpenOperation {
  const { builder } = simulation
  const op = `sim-${builder.events.length}`
  builder.add({ op, type: 'invoke', collection: 'c', ...what })
  const end: OpenOperation['end'] = (type, result) =>
    builder.add({ op, f: what.f, key: what.key, type, ...(type === 'ok' ? { result, id: `id-${what.key}` } : {}) })
  const one: OpenOperation = { ...what, result: undefined, end }
  simulation.open.add(one)
  return one
}

function applyEffect(simulation: Simulation, one: OpenOperation): void {
  const { key, bytes, f } = one
  const there = simulation.rows.has(key)
  if (f === 'delete') {
    simulation.rows.delete(key)
    one.result = there ? 'deleted' : 'absent'
    return
  }
  if (!there) simulation.rows.set(key, { collection: 'c', id: `id-${key}`, bytes })
  one.result = there ? 'duplicate' : 'created'
}

/** Completes the operation. If its outcome stays unknown, it may have happened before, happen now, or never happen. */
function finish(simulation: Simulation, one: OpenOperation, random: Random): void {
  simulation.open.delete(one)
  if (one.result !== undefined && random.chance(0.8)) return one.end('ok', one.result)
  if (random.chance(0.7)) one.end('info', '')
  if (one.result === undefined && random.chance(0.5)) applyEffect(simulation, one)
}

const CHECKERS = checkersOf({ recoveryMs: 1_000_000, locks: false })

function verdictOn(builder: HistoryBuilder, store: FinalStore): Verdict {
  return judge(CHECKERS, builder.events, store)
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

test.each([false, true])('a correct store is never reported as violated (deletions: %s)', (deletes) => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const { builder, store } = simulate(createRandom(seed), deletes)
      const { kind, checks } = verdictOn(builder, store)
      expect({ kind, checks }).toMatchObject({ kind: 'valid' })
    }),
    { numRuns: 300 },
  )
})

describe('each broken promise is found', () => {
  const broken: Readonly<
    Record<string, { by: string; how: (builder: HistoryBuilder, rows: StoredRow[], random: Random) => void }>
  > = {
    'a lost row': { by: 'nothing-lost', how: (_story, rows, random) => void rows.splice(random.between(0, 3), 1) },
    'a row stored twice': { by: 'stored-once', how: (_story, rows, random) => void rows.push(random.pick(rows)) },
    'a second creation': {
      by: 'created-once',
      how: (builder, _rows, random) => builder.save(random.pick(KEYS), 'created', { bytes: 'a0' }),
    },
    'a duplicate of a content that was never saved': {
      by: 'created-once',
      how: (builder) => builder.save('new', 'duplicate'),
    },
    'a row that no client sent': {
      by: 'no-phantom',
      how: (_story, rows) => void rows.push({ collection: 'c', id: 'ghost', bytes: 'ghost' }),
    },
    'torn content': {
      by: 'same-content',
      how: (_story, rows, random) => {
        const at = random.between(0, 3)
        rows[at] = { collection: 'c', id: rows[at]?.id ?? '', bytes: 'torn' }
      },
    },
    'a second id': {
      by: 'one-id',
      how: (builder, _rows, random) => builder.save(random.pick(KEYS), 'duplicate', { id: 'other', bytes: 'a0' }),
    },
    'a response after the recovery bound': {
      by: 'recovery',
      how: (builder) =>
        builder.beginSave('a', { bytes: 'a0' })({ type: 'ok', result: 'duplicate', id: 'id-a', tMono: 9e9 }),
    },
  }

  test.each(Object.entries(broken))('%s', (_name, { by, how }) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed)
        const { builder, store } = simulate(random, false)
        const rows = [...store.rows]
        how(builder, rows, random)
        const { kind, checks } = verdictOn(builder, { rows })
        expect(kind).toBe('violated')
        expect(checks[by]?.kind).toBe('violated')
        expect(checks[by]?.counterExamples.length).toBeGreaterThan(0)
      }),
      { numRuns: 50 },
    )
  })

  test('a lost deletion: the deleted content is present again', () => {
    const builder = createHistoryBuilder()
    builder.save('a', 'created')
    builder.remove('a', 'deleted')
    const { checks } = verdictOn(builder, holding('a'))
    expect(checks['nothing-lost']?.kind).toBe('violated')
  })

  // a search that branched at every operation would exceed the time limit of the test
  test('a long history of one hot content is judged completely', () => {
    const builder = createHistoryBuilder()
    builder.save('a', 'created')
    const ends = Array.from({ length: 2_000 }, () => builder.beginSave('a'))
    for (const [at, end] of ends.entries()) {
      if (at % 10 === 0) end({ type: 'info' })
      else end({ type: 'ok', result: 'duplicate', id: 'id-a' })
    }
    expect(verdictOn(builder, holding('a')).checks['created-once']?.kind).toBe('valid')
  })
})
