import { expect, test } from 'vitest'
import { type CronTimes, nextTime } from './cron.ts'

const VIENNA = { timeZone: 'Europe/Vienna' }

/** Returns the next times in UTC. */
function timesOf(times: CronTimes, after: string, count: number): readonly string[] {
  const found: string[] = []
  let afterMs = Date.parse(after)
  for (let index = 0; index < count; index++) {
    const next = nextTime(times, afterMs)
    if (next === undefined) break
    found.push(new Date(next).toISOString().slice(0, 16))
    afterMs = next
  }
  return found
}

test('times are those of the time zone, strictly after the given one', () => {
  const monday = { schedule: '30 3 * * 1', ...VIENNA }
  expect(timesOf(monday, '2026-01-05T02:30Z', 2)).toEqual(['2026-01-12T02:30', '2026-01-19T02:30'])
  expect(timesOf({ ...monday, timeZone: 'UTC' }, '2026-01-05T02:30Z', 1)).toEqual(['2026-01-05T03:30'])
})

test('a time that the clocks leave out moves to the end of the gap, and the next day is as usual', () => {
  // on 29 March 2026 the clocks go from 02:00 to 03:00
  const inGap = { schedule: '30 2 * * *', ...VIENNA }
  expect(timesOf(inGap, '2026-03-28T12:00Z', 2)).toEqual(['2026-03-29T01:00', '2026-03-30T00:30'])
})

test('a time that the clocks repeat is one time', () => {
  // on 25 October 2026 the clocks go from 03:00 back to 02:00
  const twice = { schedule: '30 2 * * *', ...VIENNA }
  expect(timesOf(twice, '2026-10-24T12:00Z', 2)).toEqual(['2026-10-25T00:30', '2026-10-26T01:30'])
})

test('times go on through the hours that the clocks leave out and repeat', () => {
  const often = { schedule: '*/30 * * * *', ...VIENNA }
  const spring = timesOf(often, '2026-03-29T00:00Z', 6)
  const autumn = timesOf(often, '2026-10-24T23:30Z', 8)
  for (const found of [spring, autumn]) {
    expect(found).toEqual(found.toSorted())
    expect(new Set(found).size).toBe(found.length)
  }
})

test('only times within the window count, also over midnight', () => {
  const hourly = { schedule: '0 * * * *', timeZone: 'UTC' }
  const evening = { ...hourly, window: { from: '22:00', to: '01:30' } }
  expect(timesOf(evening, '2026-01-05T12:00Z', 5)).toEqual([
    '2026-01-05T22:00',
    '2026-01-05T23:00',
    '2026-01-06T00:00',
    '2026-01-06T01:00',
    '2026-01-06T22:00',
  ])
  const noon = { ...hourly, window: { from: '12:00', to: '13:00' } }
  expect(timesOf(noon, '2026-01-05T12:00Z', 1)).toEqual(['2026-01-06T12:00'])
})

test('a schedule without a time in its window has none', () => {
  const window = { from: '03:00', to: '04:00' }
  expect(nextTime({ schedule: '* 5-21 * * *', timeZone: 'UTC', window }, 0)).toBeUndefined()
  expect(nextTime({ schedule: '0 0 30 2 *', timeZone: 'UTC' }, 0)).toBeUndefined()
})

test.each([
  [{ schedule: '61 * * * *', timeZone: 'UTC' }, '"61 * * * *" is no schedule of cron'],
  [{ schedule: '* * *', timeZone: 'UTC' }, 'is no schedule of cron'],
  [{ schedule: '0 0 0 * * *', timeZone: 'UTC' }, 'is no schedule of cron'],
  [{ schedule: '0 3 * * *', timeZone: 'Mars/Olympus' }, '"Mars/Olympus" is no time zone'],
])('%j is refused', (times, says) => {
  expect(() => nextTime(times, 0)).toThrow(says)
})
