import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { createHistoryBuilder } from '../testing/history-builder.ts'
import { createRecorder, parseHistory, readHistory } from './history.ts'

const folder = temporaryFolder()

const LINE = '{"seq":1,"process":"p","op":"o1","f":"save","type":"invoke","key":"a","tMono":1,"tWall":2}'

test('recorded events are read back', () => {
  const path = join(folder, 'one.ndjson')
  const builder = createHistoryBuilder()
  builder.save('a', 'created')
  builder.write(1, 5, 'ok')
  using recorder = createRecorder(path, () => 0)
  for (const event of builder.events) recorder.record(event)
  expect(readHistory(path)).toEqual({ events: builder.events, torn: 0 })
  expect(recorder.count).toBe(4)
})

test('a recorder adds the order and the time', () => {
  const path = join(folder, 'two.ndjson')
  using recorder = createRecorder(path, () => 7)
  recorder.record({ process: 'p', op: 'o', f: 'phase', type: 'info', key: 'healed' })
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
    seq: 1,
    tWall: 7,
    tMono: expect.any(Number) as number,
  })
})

test('a truncated last line is left out and counted', () => {
  expect(parseHistory(`${LINE}\n${LINE.slice(0, 20)}`)).toMatchObject({ torn: 1, events: [{ seq: 1 }] })
  expect(parseHistory('')).toEqual({ events: [], torn: 0 })
})

test.each([
  ['{"seq":1,\n', /line 1 of "history" is not JSON/],
  [`${LINE.replace('save', 'safe')}\n`, /line 1 of "history" is no event of a history: \/f/],
  [`${LINE.replace('"key":"a",', '')}\n`, /line 1 .* required/],
  [`${LINE}\n${LINE}\n`, /line 2 of "history" has seq 1: lines are missing or out of order/],
])('%j is refused', (text, message) => {
  expect(() => parseHistory(text)).toThrow(message)
})

test('an error for a file that cannot be read or written names it', () => {
  expect(() => readHistory(join(folder, 'none'))).toThrow(/cannot read the history ".*none"/)
  writeFileSync(join(folder, 'file'), '')
  expect(() => createRecorder(join(folder, 'file', 'x'), () => 0)).toThrow(/cannot write the history/)
})
