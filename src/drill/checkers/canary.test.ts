import { expect, test } from 'vitest'
import { type HistoryBuilder, historyOf } from '../../testing/history-builder.ts'
import type { Event } from '../history.ts'
import { CANARY_LOCKS, canaryGrants, canaryWhole, canaryWrites, hasCanary } from './canary.ts'

const NOTHING = { rows: [] }
const KEY = `${CANARY_LOCKS}run/0`

function set(tale: HistoryBuilder, number: number, type: 'ok' | 'info', key = 'k'): void {
  const base = { op: `set-${number}`, f: 'set', key } as const
  tale.add({ ...base, type: 'invoke', value: `${number}` })
  tale.add({ ...base, type })
}

function members(tale: HistoryBuilder, value: string, key = 'k'): void {
  tale.add({ op: `look-${tale.events.length}`, f: 'members', type: 'invoke', key })
  tale.add({ op: `look-${tale.events.length - 1}`, f: 'members', type: 'ok', key, value })
}

/** Adds a grant that was requested, was received and was certainly held until `held.until`. */
function grant(tale: HistoryBuilder, name: string, fence: number, held: { from: number; until: number }): void {
  const base = { op: name, key: KEY } as const
  tale.add({ ...base, f: 'acquire', type: 'invoke', tMono: held.from })
  tale.add({ ...base, f: 'acquire', type: 'ok', tMono: held.from, fence: `${fence}` })
  tale.add({ ...base, f: 'release', type: 'info', untilMono: held.until })
}

const writes = (events: readonly Event[], loss: 'allow' | 'forbid' = 'forbid') => canaryWrites(loss)(events, NOTHING)
const grants = (events: readonly Event[], loss: 'allow' | 'forbid' = 'forbid') => canaryGrants(loss)(events, NOTHING)

test('acknowledged writes that are present are valid, and unknown outcomes are valid either way', () => {
  const events = historyOf((tale) => {
    set(tale, 1, 'ok')
    set(tale, 2, 'info')
    set(tale, 3, 'ok', 'other')
    members(tale, '1')
    members(tale, '3', 'other')
  })
  expect(writes(events)).toMatchObject({ kind: 'valid', figures: { acknowledged: 2, unknown: 1, lost: 0 } })
})

test('a lost acknowledged write is counted, and is a violation where no loss is allowed', () => {
  const events = historyOf((tale) => {
    set(tale, 1, 'ok')
    set(tale, 2, 'ok')
    members(tale, '1,2')
    members(tale, '2')
  })
  expect(writes(events, 'allow')).toMatchObject({ kind: 'valid', figures: { lost: 1 } })
  const finding = writes(events)
  expect(finding).toMatchObject({ kind: 'violated', figures: { lost: 1 } })
  expect(finding.counterExamples[0]?.says).toBe('number 1 of k was acknowledged by Redis and is lost')
})

test.each([
  ['that were never acknowledged', historyOf((tale) => set(tale, 1, 'info'))],
  ['without a final lookup', historyOf((tale) => set(tale, 1, 'ok'))],
  [
    'after the final lookup',
    historyOf((tale) => {
      members(tale, '')
      set(tale, 1, 'ok')
    }),
  ],
])('writes %s are inconclusive', (_, events) => {
  expect(writes(events)).toMatchObject({ kind: 'inconclusive' })
})

test('successive grants with rising fences are valid', () => {
  const events = historyOf((tale) => {
    grant(tale, 'a', 5, { from: 0, until: 10 })
    grant(tale, 'b', 6, { from: 10, until: 20 })
  })
  expect(grants(events)).toMatchObject({ kind: 'valid', figures: { grants: 2, overlapping: 0, fencesFallen: 0 } })
})

test('two concurrent grants are counted, and are a violation where no loss is allowed', () => {
  const events = historyOf((tale) => {
    grant(tale, 'a', 5, { from: 0, until: 10 })
    grant(tale, 'b', 6, { from: 7, until: 20 })
  })
  expect(grants(events, 'allow')).toMatchObject({ kind: 'valid', figures: { overlapping: 1, fencesFallen: 0 } })
  expect(grants(events).counterExamples[0]?.says).toMatch(/was granted twice at once, for 3 ms/)
})

test('a fence that is not greater than that of an earlier grant is found', () => {
  for (const fence of [4, 5]) {
    const events = historyOf((tale) => {
      grant(tale, 'a', 5, { from: 0, until: 10 })
      grant(tale, 'b', fence, { from: 10, until: 20 })
    })
    expect(grants(events, 'allow')).toMatchObject({ kind: 'valid', figures: { fencesFallen: 1 } })
    expect(grants(events).counterExamples[0]?.says).toMatch(`under fence ${fence} after 5`)
  }
})

test('concurrent grants may have their fences in either order', () => {
  const events = historyOf((tale) => {
    tale.add({ op: 'a', f: 'acquire', type: 'invoke', key: KEY })
    tale.add({ op: 'b', f: 'acquire', type: 'invoke', key: KEY })
    tale.add({ op: 'b', f: 'acquire', type: 'ok', key: KEY, fence: '6' })
    tale.add({ op: 'a', f: 'acquire', type: 'ok', key: KEY, fence: '5' })
    tale.add({ op: 'a', f: 'release', type: 'info', key: KEY, untilMono: 4 })
  })
  expect(grants(events)).toMatchObject({ kind: 'valid', figures: { fencesFallen: 0 } })
})

test('without a canary lock the result is inconclusive', () => {
  const events = historyOf((tale) => tale.hold(1, 0, 10))
  expect(grants(events)).toMatchObject({ kind: 'inconclusive' })
})

test('a canary record without its end is inconclusive', () => {
  const events = historyOf((tale) => tale.phase('canary-began'))
  expect(hasCanary(events)).toBe(true)
  expect(canaryWhole(events)).toMatchObject({ kind: 'inconclusive' })
  const whole = historyOf((tale) => {
    for (const key of ['canary-began', 'canary-ended']) tale.phase(key)
  })
  expect(canaryWhole(whole)).toMatchObject({ kind: 'valid' })
})
