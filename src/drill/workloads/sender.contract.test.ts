import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import { freePorts } from '../../testing/tcp/ports.ts'
import type { Event } from '../history.ts'
import { type Content, createContent, type Entry } from './content.ts'
import { createSender, keyOf, type Sender } from './sender.ts'

let server: Server
let url = ''
let respond: RequestListener
let events: Event[] = []
let sender: Sender

beforeEach(async () => {
  server = createServer((request, response) => void request.resume().on('end', () => respond(request, response)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  events = []
  const record = (entry: Parameters<Parameters<typeof createSender>[0]['record']>[0]): Event => {
    const event = { tMono: 0, tWall: 0, ...entry, seq: events.length + 1 }
    events.push(event)
    return event
  }
  sender = createSender({ record, collection: 'c', timeoutMs: 300 })
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const random = createRandom(4)
let numbers = 0
function json(): Content {
  for (;;) {
    const content = createContent(++numbers, random)
    if (content.media === 'application/json') return content
  }
}
const entries = (count: number): readonly Entry[] =>
  Array.from({ length: count }, () => ({ content: json(), spelling: 0 }))

test('an accepted item is ok with its id, and every spelling has the same key', async () => {
  respond = (_request, response) => response.writeHead(201).end('{"id":"j1-x","status":"created"}')
  const content = json()
  expect(await sender.save('p', url, [{ content, spelling: 1 }], 'single')).toEqual(['ok'])
  expect(events.map(({ type }) => type)).toEqual(['invoke', 'ok'])
  expect(events[1]).toMatchObject({ f: 'save', result: 'created', id: 'j1-x', to: url })
  expect(events[0]?.key).toBe(keyOf(content))
  expect(events[0]?.bytes).not.toBe(keyOf(content))
  expect(sender.idOf(content)).toBe('j1-x')
})

test.each([
  [400, 'fail'],
  [422, 'fail'],
  [429, 'fail'],
  [409, 'info'],
  [500, 'info'],
  [503, 'info'],
])('status %i is recorded as %s', async (status, outcome) => {
  respond = (_request, response) => response.writeHead(status).end('{}')
  expect(await sender.save('p', url, entries(1), 'single')).toEqual([outcome])
})

test('a timeout and a reset are unknown; a connection that was never made is a failure', async () => {
  respond = () => {}
  expect(await sender.save('p', url, entries(1), 'single')).toEqual(['info'])
  respond = (request) => request.socket.resetAndDestroy()
  expect(await sender.save('p', url, entries(1), 'single')).toEqual(['info'])
  const [port] = await freePorts(1)
  expect(await sender.save('p', `http://127.0.0.1:${port}`, entries(1), 'single')).toEqual(['fail'])
})

test('each item of a batch is an operation; an item that is missing in the response or failed is unknown', async () => {
  const items = [
    { index: 0, id: 'a', status: 'created' },
    { index: 1, status: 'failed', error: { code: 'STORE_UNAVAILABLE' } },
  ]
  respond = (_request, response) => response.end(JSON.stringify({ items }))
  expect(await sender.save('p', url, entries(3), 'batch')).toEqual(['ok', 'info', 'info'])
  expect(new Set(events.map(({ op }) => op)).size).toBe(3)
})

test('lines of a stream with a response before it broke are ok, the others unknown', async () => {
  respond = (_request, response) => {
    response.write('{"line":1,"id":"a","status":"created"}\n{"line":2,"id":"b","status":"duplicate"}\n')
    setTimeout(() => response.destroy(), 20)
  }
  expect(await sender.save('p', url, entries(4), 'stream')).toEqual(['ok', 'ok', 'info', 'info'])
  respond = (_request, response) =>
    response.end('{"line":1,"id":"a","status":"created"}\n{"error":{"code":"X","nextLine":2}}\n')
  expect(await sender.save('p', url, entries(2), 'stream')).toEqual(['ok', 'info'])
})

test('a deletion is ok whether or not the item existed, and unknown after a failure', async () => {
  const content = json()
  const statuses = [204, 404, 503]
  respond = (_request, response) => response.writeHead(statuses.shift() ?? 500).end()
  const outcomes = []
  for (let n = 0; n < 3; n++) outcomes.push(await sender.remove('p', url, content, 'id'))
  expect(outcomes).toEqual(['ok', 'ok', 'info'])
  expect(events.flatMap(({ result }) => result ?? [])).toEqual(['deleted', 'absent'])
})
