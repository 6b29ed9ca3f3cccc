import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../testing/clock.ts'
import { createSink } from '../../testing/http/sink.ts'
import { grouped, startProgress, timeText } from './progress.ts'

test('updates one line on a terminal five times per second, and removes it at the end', async () => {
  const clock = createFakeClock()
  const output = createSink(40)
  let at = 0
  const progress = startProgress({ output, clock, line: (columns) => `${++at} of ${columns}` })
  await clock.advance(500)
  expect(output.text()).toBe('\r\x1b[K1 of 40\r\x1b[K2 of 40')
  progress.note('by the way')
  expect(output.text().endsWith('\r\x1b[Kby the way\n')).toBe(true)
  progress.stop()
  await clock.advance(1_000)
  expect(output.text().endsWith('by the way\n\r\x1b[K')).toBe(true)
})

test('writes a plain line to a log every five seconds', async () => {
  const clock = createFakeClock()
  const output = createSink()
  const progress = startProgress({ output, clock, line: (columns) => `line ${String(columns)}` })
  await clock.advance(4_999)
  expect(output.text()).toBe('')
  await clock.advance(6_000)
  progress.note('by the way')
  progress.stop()
  await clock.advance(60_000)
  expect(output.text()).toBe('line undefined\nline undefined\nby the way\n')
})

test('assumes 80 columns for a terminal of unknown size', async () => {
  const clock = createFakeClock()
  const output = createSink(0)
  startProgress({ output, clock, line: String })
  await clock.advance(200)
  expect(output.text()).toBe('\r\x1b[K80')
})

test('writes no line to a log while there is nothing to report', async () => {
  const clock = createFakeClock()
  const output = createSink()
  startProgress({ output, clock, line: () => undefined })
  await clock.advance(20_000)
  expect(output.text()).toBe('')
})

describe('in words', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1_000, '1,000'],
    [63_666, '63,666'],
    [1_234_567, '1,234,567'],
  ])('%i is %s', (count, text) => expect(grouped(count)).toBe(text))

  test.each([
    [0, '0 s'],
    [0.2, '1 s'],
    [59.5, '1 min 0 s'],
    [200, '3 min 20 s'],
    [7_500, '2 h 5 min'],
  ])('%d seconds are %s', (seconds, text) => expect(timeText(seconds)).toBe(text))
})
