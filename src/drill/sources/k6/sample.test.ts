import { expect, test } from 'vitest'
import { readResponse } from './sample.ts'

const created = (more: object) => JSON.stringify({ ...more, id: 'j1-a', status: 'created' })

test('a single response is for the first item', () => {
  expect(readResponse('single', created({}), 1).items).toEqual([['created', 'j1-a']])
})

test('a batch has one result per item', () => {
  const failed = { index: 1, status: 'failed', error: { code: 'STORE_UNAVAILABLE', detail: 'd' } }
  const body = `{"items":[${created({ index: 0 })},${JSON.stringify(failed)}]}`
  expect(readResponse('batch', body, 3).items).toEqual([
    ['created', 'j1-a'],
    ['failed', 'STORE_UNAVAILABLE'],
    ['untold'],
  ])
})

test('complete lines of a stream count, and a truncated line has no result', () => {
  const body = `${created({ line: 1 })}\n{"line":2,"error":{"code":"JSON_INVALID"}}\n${created({ line: 3 }).slice(0, -3)}`
  expect(readResponse('stream', body, 3).items).toEqual([['created', 'j1-a'], ['failed', 'JSON_INVALID'], ['untold']])
})

test('the last line of a stream that ended early has the reason, and belongs to no item', () => {
  const body = `${created({ line: 1 })}\n{"error":{"code":"SHUTTING_DOWN","detail":"drains","nextLine":2}}\n`
  const answer = readResponse('stream', body, 2)
  expect(answer).toEqual({ code: 'SHUTTING_DOWN', detail: 'drains', items: [['created', 'j1-a'], ['untold']] })
})

test.each(['', 'Bad Gateway', '[]', 'null', '{"status":503}'])('%j has no results of items', (body) => {
  for (const form of ['single', 'batch', 'stream'] as const) {
    expect(readResponse(form, body, 1)).toEqual({ code: '', detail: '', items: [['untold']] })
  }
})

test('a problem body has its code and detail', () => {
  const body = JSON.stringify({ status: 503, code: 'STORE_UNAVAILABLE', detail: 'x'.repeat(500) })
  expect(readResponse('batch', body, 1)).toMatchObject({ code: 'STORE_UNAVAILABLE', detail: 'x'.repeat(200) })
})
