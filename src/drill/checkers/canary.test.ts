import { expect, test } from 'vitest'
import { type HistoryBuilder, historyOf } from '../../testing/history-builder.ts'
import type { Event } from '../history.ts'
import { CANARY_LOCKS, canaryComplete, canaryGrants, canaryWrites, hasCanary } from './canary.ts'

const NOTHING = { rows: [] }
const KEY = `${CANARY_LOCKS}run/0`

function set(builder: HistoryBuilder, number: number, type: 'ok' | 'info', key = 'k'): void {
  const base = { op: `set-${number}`, f: 'set', key } as const
  builder.add({ ...base, type: 'invoke', value: `${number}` })
  builder.add({ ...base, type })
}

function members(builder: HistoryBuilder, value: string, key = 'k'): void {
  builder.add({ op: `look-${builder.events.length}`, f: 'members', type: 'invoke', key })
  builder.add({ op: `look-${builder.events.length - 1}`, f: 'members', type: 'ok', key, value })
}

/** Adds a grant that was requested, was received and was certainly held until `held.until`. */
function grant(builder: HistoryBuilder, name: string, fence: number, held: { from: number; until: number }): void {
  const base = { op: name, key: KEY } as const
  builder.add({ ...base, f: 'acquire', type: 'invoke', tMono: held.from })
  builder.add({ ...base, f: 'acquire', type: 'ok', tMono: held.from, fence: `${fence}` })
  builder.add({ ...base, f: 'release', type: 'info', untilMono: held.until })
}

const writes = (events: readonly Event[], loss: 'allow' | 'forbid' = 'forbid') => canaryWrites(loss)(events, NOTHING)
const grants = (events: readonly Event[], loss: 'allow' | 'forbid' = 'forbid') => canaryGrants(loss)(events, NOTHING)

test('acknowledged writes that are present are valid, and unknown outcomes are valid either way', () => {
  const events = historyOf((builder) => {
    set(builder, 1, 'ok')
    set(builder, 2, 'info')
    set(builder, 3, 'ok', 'other')
    members(builder, '1')
    members(builder, '3', 'other')
  })
  expect(writes(events)).toMatchObject({ kind: 'valid', figures: { acknowledged: 2, unknown: 1, lost: 0 } })
})

test('a lost acknowledged write is counted, and is a violation where no loss is allowed', () => {
  const events = historyOf((builder) => {
    set(builder, 1, 'ok')
    set(builder, 2, 'ok')
    members(builder, '1,2')
    members(builder, '2')
  })
  expect(writes(events, 'allow')).toMatchObject({ kind: 'valid', figures: { lost: 1 } })
  const finding = writes(events)
  expect(finding).toMatchObject({ kind: 'violated', figures: { lost: 1 } })
  expect(finding.counterExamples[0]?.says).toBe('number 1 of k was acknowledged by Redis and is lost')
})

test.each([
  ['that were never acknowledged', historyOf((builder) => set(builder, 1, 'info'))],
  ['without a final lookup', historyOf((builder) => set(builder, 1, 'ok'))],
  [
    'after the final lookup',
    historyOf((builder) => {
      members(builder, '')
      set(builder, 1, 'ok')
    }),
  ],
])('writes %s are inconclusive', (_, events) => {
  expect(writes(events)).toMatchObject({ kind: 'inconclusive' })
})

test('successive grants with rising fences are valid', () => {
  const events = historyOf((builder) => {
    grant(builder, 'a', 5, { from: 0, until: 10 })
    grant(builder, 'b', 6, { from: 10, until: 20 })
  })
  expect(grants(events)).toMatchObject({ kind: 'valid', figures: { grants: 2, overlapping: 0, fencesFallen: 0 } })
})

test('two concurrent grants are counted, and are a violation where no loss is allowed', () => {
  const events = historyOf((builder) => {
    grant(builder, 'a', 5, { from: 0, until: 10 })
    grant(builder, 'b', 6, { from: 7, until: 20 })
  })
  expect(grants(events, 'allow')).toMatchObject({ kind: 'valid', figures: { overlapping: 1, fencesFallen: 0 } })
  expect(grants(events).counterExamples[0]?.says).toMatch(/was granted twice at once, for 3 ms/)
})

test('a fence that is not greater than that of an earlier grant is found', () => {
  for (const fence of [4, 5]) {
    const events = historyOf((builder) => {
      grant(builder, 'a', 5, { from: 0, until: 10 })
      grant(builder, 'b', fence, { from: 10, until: 20 })
    })
    expect(grants(events, 'allow')).toMatchObject({ kind: 'valid', figures: { fencesFallen: 1 } })
    expect(grants(events).counterExamples[0]?.says).toMatch(`under fence ${fence} after 5`)
  }
})

test('concurrent grants may have their fences in either order', () => {
  const events = historyOf((builder) => {
    builder.add({ op: 'a', f: 'acquire', type: 'invoke', key: KEY })
    builder.add({ op: 'b', f: 'acquire', type: 'invoke', key: KEY })
    builder.add({ op: 'b', f: 'acquire', type: 'ok', key: KEY, fence: '6' })
    builder.add({ op: 'a', f: 'acquire', type: 'ok', key: KEY, fence: '5' })
    builder.add({ op: 'a', f: 'release', type: 'info', key: KEY, untilMono: 4 })
  })
  expect(grants(events)).toMatchObject({ kind: 'valid', figures: { fencesFallen: 0 } })
})

test('without a canary lock the result is inconclusive', () => {
  const events = historyOf((builder) => builder.hold(1, 0, 10))
  expect(grants(events)).toMatchObject({ kind: 'inconclusive' })
})

test('a canary record without its end is inconclusive', () => {
  const events = historyOf((builder) => builder.phase('canary-began'))
  expect(hasCanary(events)).toBe(true)
  expect(canaryComplete(events)).toMatchObject({ kind: 'inconclusive' })
  const whole = historyOf((builder) => {
    for (const key of ['canary-began', 'canary-ended']) builder.phase(key)
  })
  expect(canaryComplete(whole)).toMatchObject({ kind: 'valid' })
})
