/** Property tests: a correct store is never reported as violated, and each kind of broken promise is found. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRandom, type Random } from '../../std/random.ts'
import { createHistoryBuilder, type HistoryBuilder, holding } from '../../testing/history-builder.ts'
import { checkersOf } from './all.ts'
import type { FinalStore, StoredRow } from './final-store.ts'
import { judge, type Verdict } from './verdict.ts'

/** An operation in progress. Either it takes effect and then completes, or its outcome stays unknown. */
interface UnderWay {
  readonly key: string
  readonly bytes: string
  readonly f: 'save' | 'delete'
  result: string | undefined
  end: (type: 'ok' | 'info', result: string) => void
}

interface World {
  readonly story: HistoryBuilder
  readonly rows: Map<string, StoredRow>
  readonly underWay: Set<UnderWay>
}

const KEYS = ['a', 'b', 'd', 'e']

/** Simulates a correct store under concurrent clients. Clients learn the outcome of some operations only. */
function simulate(random: Random, deletes: boolean): { story: HistoryBuilder; store: FinalStore } {
  const world: World = { story: createHistoryBuilder(), rows: new Map(), underWay: new Set() }
  world.story.fault('kill')
  for (let step = 0; step < 120; step++) act(world, random, deletes)
  for (const one of world.underWay) finish(world, one, random)
  world.story.phase('healed')
  for (const key of KEYS) {
    const one = begin(world, { key, bytes: `${key}0`, f: 'save' })
    take(world, one)
    one.end('ok', one.result ?? '')
  }
  return { story: world.story, store: { rows: [...world.rows.values()] } }
}

function act(world: World, random: Random, deletes: boolean): void {
  const open = [...world.underWay]
  if (open.length < 6 && random.chance(0.4)) {
    const key = random.pick(KEYS)
    const f = deletes && random.chance(0.25) ? 'delete' : 'save'
    begin(world, { key, bytes: `${key}${random.between(0, 2)}`, f })
  } else if (open.length > 0) {
    const one = random.pick(open)
    if (one.result === undefined) take(world, one)
    else finish(world, one, random)
  }
}

function begin(world: World, what: Pick<UnderWay, 'key' | 'bytes' | 'f'>): UnderWay {
  const { story } = world
  const op = `sim-${story.events.length}`
  story.add({ op, type: 'invoke', collection: 'c', ...what })
  const end: UnderWay['end'] = (type, result) =>
    story.add({ op, f: what.f, key: what.key, type, ...(type === 'ok' ? { result, id: `id-${what.key}` } : {}) })
  const one: UnderWay = { ...what, result: undefined, end }
  world.underWay.add(one)
  return one
}

function take(world: World, one: UnderWay): void {
  const { key, bytes, f } = one
  const there = world.rows.has(key)
  if (f === 'delete') {
    world.rows.delete(key)
    one.result = there ? 'deleted' : 'absent'
    return
  }
  if (!there) world.rows.set(key, { collection: 'c', id: `id-${key}`, bytes })
  one.result = there ? 'duplicate' : 'created'
}

/** Completes the operation. If its outcome stays unknown, it may have happened before, happen now, or never happen. */
function finish(world: World, one: UnderWay, random: Random): void {
  world.underWay.delete(one)
  if (one.result !== undefined && random.chance(0.8)) return one.end('ok', one.result)
  if (random.chance(0.7)) one.end('info', '')
  if (one.result === undefined && random.chance(0.5)) take(world, one)
}

const CHECKERS = checkersOf({ recoveryMs: 1_000_000, locks: false })

function verdictOn(story: HistoryBuilder, store: FinalStore): Verdict {
  return judge(CHECKERS, story.events, store)
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

test.each([false, true])('a correct store is never reported as violated (deletions: %s)', (deletes) => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const { story, store } = simulate(createRandom(seed), deletes)
      const { kind, checks } = verdictOn(story, store)
      expect({ kind, checks }).toMatchObject({ kind: 'valid' })
    }),
    { numRuns: 300 },
  )
})

describe('each broken promise is found', () => {
  const broken: Readonly<
    Record<string, { by: string; how: (story: HistoryBuilder, rows: StoredRow[], random: Random) => void }>
  > = {
    'a lost row': { by: 'nothing-lost', how: (_story, rows, random) => void rows.splice(random.between(0, 3), 1) },
    'a row stored twice': { by: 'stored-once', how: (_story, rows, random) => void rows.push(random.pick(rows)) },
    'a second creation': {
      by: 'created-once',
      how: (story, _rows, random) => story.save(random.pick(KEYS), 'created', { bytes: 'a0' }),
    },
    'a duplicate of a content that was never saved': {
      by: 'created-once',
      how: (story) => story.save('new', 'duplicate'),
    },
    'a row that nobody sent': {
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
      how: (story, _rows, random) => story.save(random.pick(KEYS), 'duplicate', { id: 'other', bytes: 'a0' }),
    },
    'a response after the end of the history': {
      by: 'recovery',
      how: (story) =>
        story.beginSave('a', { bytes: 'a0' })({ type: 'ok', result: 'duplicate', id: 'id-a', tMono: 9e9 }),
    },
  }

  test.each(Object.entries(broken))('%s', (_name, { by, how }) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed)
        const { story, store } = simulate(random, false)
        const rows = [...store.rows]
        how(story, rows, random)
        const { kind, checks } = verdictOn(story, { rows })
        expect(kind).toBe('violated')
        expect(checks[by]?.kind).toBe('violated')
        expect(checks[by]?.counterExamples.length).toBeGreaterThan(0)
      }),
      { numRuns: 50 },
    )
  })

  test('a lost deletion: the deleted content is present again', () => {
    const story = createHistoryBuilder()
    story.save('a', 'created')
    story.remove('a', 'deleted')
    const { checks } = verdictOn(story, holding('a'))
    expect(checks['nothing-lost']?.kind).toBe('violated')
  })

  // a search that branched at every operation would exceed the time limit of the test
  test('a long history of one hot content is judged completely', () => {
    const story = createHistoryBuilder()
    story.save('a', 'created')
    const ends = Array.from({ length: 2_000 }, () => story.beginSave('a'))
    for (const [at, end] of ends.entries()) {
      if (at % 10 === 0) end({ type: 'info' })
      else end({ type: 'ok', result: 'duplicate', id: 'id-a' })
    }
    expect(verdictOn(story, holding('a')).checks['created-once']?.kind).toBe('valid')
  })
})
