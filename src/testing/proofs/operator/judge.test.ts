import { expect, test } from 'vitest'
import { judgeWrites, type Write } from './judge.ts'

const write = (process: string, sentMs: number, more: Partial<Write> = {}): Write => ({
  process,
  sentMs,
  doneMs: sentMs + 1,
  isAccepted: true,
  line: 'PATCH /status',
  ...more,
})
const lease = (process: string, sentMs: number, more: Partial<Write> = {}): Write =>
  write(process, sentMs, { line: 'PUT /lease', holder: process, ...more })

test('writes of the leader are fine, before and after a change', () => {
  const history = [lease('a', 0), write('a', 10), lease('a', 20), lease('b', 40), write('b', 50)]
  expect(judgeWrites(history)).toEqual({ acquisitions: 2, writes: 2, late: [] })
})

test('a write that was sent before the next leader had its response is not late', () => {
  expect(judgeWrites([lease('a', 0), lease('b', 40, { doneMs: 60 }), write('a', 55)]).late).toEqual([])
})

test('mutation: a write of a deposed leader is found', () => {
  const { late } = judgeWrites([lease('a', 0), lease('b', 40), write('b', 50), write('a', 60)])
  expect(late).toEqual(['a sent PATCH /status 19 ms after b led'])
})

test('a write that the server refused, and a Lease that it refused, count for nothing', () => {
  const refused = { isAccepted: false }
  const history = [lease('a', 0), lease('b', 40, refused), write('a', 50), write('b', 60, refused)]
  expect(judgeWrites(history)).toEqual({ acquisitions: 1, writes: 1, late: [] })
})

test('a release is no acquisition, and the same process may lead again', () => {
  const history = [lease('a', 0), lease('a', 10, { holder: '' }), lease('b', 20), lease('a', 30), write('a', 40)]
  expect(judgeWrites(history)).toEqual({ acquisitions: 3, writes: 1, late: [] })
})
