import { expect, test } from 'vitest'
import type { Event } from '../../../drill/history.ts'
import { faultFigures } from './fault-figures.ts'

type Told = Pick<Event, 'f' | 'type' | 'op' | 'key' | 'tMono'> & Partial<Event>

function historyOf(told: readonly Told[]): readonly Event[] {
  const sorted = told.toSorted((a, b) => a.tMono - b.tMono)
  return sorted.map((event, index) => ({ process: 'w', tWall: 0, ...event, seq: index + 1 }))
}

const fault = (key: string, at: number, type: 'ok' | 'fail' = 'ok'): readonly Told[] => [
  { f: 'fault', type: 'invoke', op: `${key}${at}`, key, tMono: at },
  { f: 'fault', type, op: `${key}${at}`, key, tMono: at + 1 },
]

const hold = (key: string, from: number, until: number, fence: number): readonly Told[] => [
  { f: 'acquire', type: 'invoke', op: `${key}${from}`, key, tMono: from - 1 },
  { f: 'acquire', type: 'ok', op: `${key}${from}`, key, tMono: from, fence: String(fence) },
  { f: 'release', type: 'info', op: `${key}${from}`, key, tMono: until, untilMono: until },
]

test('the pause of a fault is the longest time without a grant that began before the next fault', () => {
  const history = historyOf([
    ...hold('a', 100, 110, 1),
    ...fault('kill', 200),
    ...hold('a', 900, 910, 2),
    ...hold('a', 1_000, 1_010, 3),
    ...fault('stop', 1_100),
    ...hold('a', 5_100, 5_110, 4),
  ])
  expect(faultFigures(history)).toEqual([
    { fault: 'kill', times: 1, pauseMs: 4_100, overlaps: 0, outOfOrder: 0 },
    { fault: 'stop', times: 1, pauseMs: 4_000, overlaps: 0, outOfOrder: 0 },
  ])
})

test('overlaps and falling fences count for the fault before them', () => {
  const history = historyOf([
    ...fault('kill', 50),
    ...hold('a', 100, 300, 5),
    ...hold('b', 120, 130, 9),
    ...fault('stop', 200),
    ...hold('a', 250, 400, 4),
  ])
  expect(faultFigures(history)).toMatchObject([
    { fault: 'kill', overlaps: 0, outOfOrder: 0 },
    { fault: 'stop', overlaps: 1, outOfOrder: 1 },
  ])
})

test('faults of one kind are counted together, and those without a proof not at all', () => {
  const history = historyOf([...fault('kill', 10), ...fault('kill', 20), ...fault('kill', 30, 'fail')])
  expect(faultFigures(history)).toMatchObject([{ fault: 'kill', times: 2 }])
})
