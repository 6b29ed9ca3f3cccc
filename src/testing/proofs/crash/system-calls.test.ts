import { expect, test } from 'vitest'
import { foldersSyncedBefore, parseTrace, syncedBefore, unsyncedResponses } from './system-calls.ts'

const WRITE = `11 pwrite64(29</d/items.sqlite-wal>, "\\r\\0{\\"m\\":\\"marker\\"}", 24, 32) = 24`
const SYNC = '11 fdatasync(29</d/items.sqlite-wal>) = 0'
const RESPONSE = `10 write(39<TCP:[127.0.0.1:1->127.0.0.1:2]>, "HTTP/1.1 201 Created\\r\\n\\r\\n{\\"id\\":\\"j1-aa\\"}", 40) = 40`
const saved = [{ what: 'it', marker: 'marker', id: 'j1-aa' }]

const judge = (...lines: readonly string[]): readonly string[] => unsyncedResponses(parseTrace(lines.join('\n')), saved)

test('accepts a write, a sync and a response in this order', () => {
  expect(judge(WRITE, SYNC, RESPONSE)).toEqual([])
})

test('accepts calls of other threads in between, whose lines are split', () => {
  const split = [
    WRITE,
    '11 fdatasync(29</d/items.sqlite-wal> <unfinished ...>',
    '12 futex(0x1, FUTEX_WAKE, 1) = 0',
    '11 <... fdatasync resumed>)          = 0',
    `${RESPONSE.slice(0, RESPONSE.lastIndexOf(')'))} <unfinished ...>`,
    '11 pwrite64(29</d/items.sqlite-wal>, "x", 1, 0) = 1',
    '10 <... write resumed>) = 40',
  ]
  expect(judge(...split)).toEqual([])
})

test.each([
  ['without a sync', [WRITE, RESPONSE]],
  ['with the sync of another file', [WRITE, SYNC.replace('-wal', '-journal'), RESPONSE]],
  ['with a sync before the write', [SYNC, WRITE, RESPONSE]],
  ['with a sync after the response', [WRITE, RESPONSE, SYNC]],
  ['with a sync that failed', [WRITE, SYNC.replace('= 0', '= -1 EIO (Input/output error)'), RESPONSE]],
  [
    'with a sync that had not ended',
    [WRITE, SYNC.replace(') = 0', ' <unfinished ...>'), RESPONSE, '11 <... fdatasync resumed>) = 0'],
  ],
  ['that came before the write', [RESPONSE, WRITE, SYNC]],
  ['without a write', [SYNC, RESPONSE]],
])('reports a response %s', (_what, lines) => {
  expect(judge(...lines)).toHaveLength(1)
})

test('reports a missing response', () => {
  expect(judge(WRITE, SYNC)).toHaveLength(1)
})

test('returns what was synced before a response', () => {
  const calls = parseTrace([SYNC, '11 fsync(31</d>) = 0', RESPONSE, '11 fsync(31</late>) = 0'].join('\n'))
  expect(syncedBefore(calls, 'j1-aa')).toBe(true)
  expect(foldersSyncedBefore(calls, 'j1-aa')).toEqual(new Set(['/d/items.sqlite-wal', '/d']))
  expect(syncedBefore(parseTrace(RESPONSE), 'j1-aa')).toBe(false)
})
