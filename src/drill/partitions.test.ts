import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { type Entry, readHistory } from './history.ts'
import { createPartitionedRecorder, type PartName, partFile } from './partitions.ts'

const folder = temporaryFolder()
const PARTS = 3

let runs = 0
function recorded(entries: readonly Entry[]): string {
  const out = join(folder, String(++runs))
  using recorder = createPartitionedRecorder(out, {
    parts: PARTS,
    partOf: (key) => Number(key) % PARTS,
    wallMs: () => 1,
  })
  for (const entry of entries) recorder.record(entry)
  return out
}

const save = (key: number, op: string, type: Entry['type'] = 'invoke'): Entry => ({
  process: 'p',
  op,
  f: 'save',
  type,
  key: String(key),
  tMono: 1,
})
const opsOf = (out: string, part: PartName): readonly string[] =>
  readHistory(partFile(out, part)).events.map(({ op, type }) => `${op} ${type}`)

test('the operations on a content stay together and in order', () => {
  const out = recorded([save(1, 'a'), save(4, 'b'), save(2, 'c'), save(4, 'b', 'ok'), save(1, 'a', 'info')])
  expect(opsOf(out, 1)).toEqual(['a invoke', 'b invoke', 'b ok', 'a info'])
  expect(opsOf(out, 2)).toEqual(['c invoke'])
  expect(opsOf(out, 0)).toEqual([])
})

test('faults and phases are in every part, at their place in the order', () => {
  const fault: Entry = { process: 'n', op: 'f', f: 'fault', type: 'invoke', key: 'kill', tMono: 2 }
  const out = recorded([save(0, 'a'), fault, save(0, 'b')])
  expect(opsOf(out, 0)).toEqual(['a invoke', 'f invoke', 'b invoke'])
  for (const part of [1, 2, 'lock'] as const) expect(opsOf(out, part)).toEqual(['f invoke'])
})

test('operations on locks have a part of their own', () => {
  const out = recorded([{ process: 'w', op: 'l', f: 'acquire', type: 'invoke', key: 'k', tMono: 1 }])
  expect(opsOf(out, 'lock')).toEqual(['l invoke'])
})

test('every part can be read as a history by itself, however long it is', () => {
  const count = 2_000
  const out = recorded(Array.from({ length: count }, (_, number) => save(number, `op-${number}`)))
  const counts = [0, 1, 2].map((part) => readHistory(partFile(out, part)).events.length)
  expect(counts.reduce((sum, one) => sum + one, 0)).toBe(count)
})

test('a key without a part is refused', () => {
  expect(() => recorded([save(-1, 'a')])).toThrow('there is no part for the key "-1"')
})
