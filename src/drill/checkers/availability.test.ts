import { expect, test } from 'vitest'
import { createHistoryBuilder } from '../../testing/history-builder.ts'
import type { Entry, Event } from '../history.ts'
import { availability } from './availability.ts'

type Sent = Pick<Entry, 'type'> & { readonly from: number; readonly to: number; readonly error?: string }

/** Builds saves with the given times and adds `extra` events in order of time. */
function load(sent: readonly Sent[], extra: readonly Omit<Entry, 'process'>[] = []): readonly Event[] {
  const builder = createHistoryBuilder()
  const saves = sent.flatMap(({ from, to, ...end }, index): Entry[] => {
    const base = { process: 'vu-1', op: `o${index}`, f: 'save', key: `k${index}`, collection: 'c' } as const
    return [
      { ...base, type: 'invoke', tMono: from },
      { ...base, ...end, tMono: to },
    ]
  })
  const all = [...saves, ...extra].toSorted((a, b) => (a.tMono ?? 0) - (b.tMono ?? 0))
  for (const entry of all) builder.add({ ...entry })
  return builder.events
}

const every = (fromMs: number, untilMs: number, type: 'ok' | 'info', error?: string): Sent[] =>
  Array.from({ length: (untilMs - fromMs) / 100 }, (_, n) => {
    const from = fromMs + n * 100
    return { type, from, to: from + 10, ...(error === undefined ? {} : { error }) }
  })

test('a load whose requests all succeed has no gap', () => {
  expect(availability(load(every(0, 5_000, 'ok')))).toMatchObject({
    kind: 'valid',
    figures: { sent: 50, failed: 0, secondsWithoutGood: 0, longestGapMs: 100, 'baseline p50 ms': 10 },
  })
})

test('an outage is counted in seconds, by error class and by phase', () => {
  const events = load(
    [...every(0, 2_000, 'ok'), ...every(2_000, 5_000, 'info', '503 X'), ...every(5_000, 8_000, 'ok')],
    [
      { op: 'f', f: 'fault', type: 'invoke', key: 'kill', tMono: 1_950 },
      { op: 'f', f: 'fault', type: 'ok', key: 'kill', proof: 'seen', tMono: 1_960 },
      { op: 'h', f: 'phase', type: 'info', key: 'healed', tMono: 4_990 },
    ],
  )
  expect(availability(events).figures).toEqual({
    sent: 80,
    failed: 30,
    secondsWithoutGood: 3,
    longestGapMs: 3_100,
    'failed by 503 X': 30,
    'seconds with 503 X': 3,
    'baseline p50 ms': 10,
    'baseline p99 ms': 10,
    'fault p50 ms': 10,
    'fault p99 ms': 10,
    'recovery p50 ms': 10,
    'recovery p99 ms': 10,
  })
})

test('retries that settle outcomes, and saves that may never have been sent, do not count', () => {
  const [first, second] = load(every(0, 100, 'ok'))
  if (first === undefined || second === undefined) throw new Error('no events')
  const of = (process: string): readonly Event[] => [
    { ...first, process },
    { ...second, process },
  ]
  expect(availability(of('vu-1'))).toMatchObject({ kind: 'valid', figures: { sent: 1 } })
  expect(availability(of('settle-1'))).toMatchObject({ kind: 'inconclusive' })
  expect(availability(of('unknown'))).toMatchObject({ kind: 'inconclusive' })
})
