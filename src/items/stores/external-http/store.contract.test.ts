import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { DEFAULT_POLICY } from '../../../identity/policy.ts'
import type { PreparedItem } from '../../item.ts'
import { prepare } from '../../prepare.ts'
import { parseMapping } from './mapping.ts'
import { createHttpStore } from './store.ts'

const MAPPING = {
  find: { url: '/items?collection={collection}&key={id}', firstSeen: '/saved' },
  save: { url: '/items', body: { key: '{id}', content: '{json}' }, firstSeen: '/saved' },
  get: { url: '/content?key={id}' },
  fencing: true,
  timeout: '300ms',
}

async function setUp(answer: RequestListener) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const store = createHttpStore({ url: `http://127.0.0.1:${port}/base`, mapping: parseMapping(MAPPING) })
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]()
    server.closeAllConnections()
    server.close()
  })
  return store
}

function item(text: string): PreparedItem {
  const prepared = prepare(DEFAULT_POLICY, { media: 'application/json', content: Buffer.from(text) }, { maxDepth: 9 })
  if ('refused' in prepared) throw prepared.refused
  return prepared
}

const under = (signal = new AbortController().signal) => ({
  collection: { name: 'things', policy: DEFAULT_POLICY },
  fence: 7n,
  signal,
})

test('finds and saves by the mapping, sends the fence, and keeps its connection', async () => {
  const seen: string[] = []
  const ports = new Set<number | undefined>()
  const store = await setUp((request, response) => {
    ports.add(request.socket.remotePort)
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${String(request.headers['fencing-token'])} ${body}`)
      response.writeHead(request.method === 'POST' ? 201 : 404).end('{"saved": 12}')
    })
  })
  const one = item('{"ä": 1}')
  expect(await store.find(one, under())).toEqual({ kind: 'absent' })
  expect(await store.save(one, under(), 5)).toEqual({ kind: 'saved', firstSeenMs: 12 })
  expect(seen).toEqual([
    `GET /base/items?collection=things&key=${one.id} 7 `,
    `POST /base/items 7 {"key":"${one.id}","content":{"ä": 1}}`,
  ])
  expect(ports.size).toBe(1)
})

test('gets content by the mapping, without a time if the response has none', async () => {
  const server = await setUp((request, response) => {
    response
      .writeHead(request.url?.endsWith('gone') === true ? 404 : 200, { 'content-type': 'text/plain' })
      .end('stored bytes')
  })
  const found = await server.get?.('things', 'j1-ab')
  expect(found).toEqual({ id: 'j1-ab', media: 'text/plain', content: Buffer.from('stored bytes') })
  expect(await server.get?.('things', 'j1-gone')).toBeUndefined()
})

test.for([412, 409])('treats %i as a stale fence', async (status) => {
  const store = await setUp((request, response) => {
    request.resume()
    response.writeHead(status).end()
  })
  expect(await store.find(item('1'), under())).toEqual({ kind: 'stale' })
  expect(await store.save(item('1'), under(), 5)).toEqual({ kind: 'stale' })
})

test.for([
  ['an unknown status', (_, response) => void response.writeHead(500).end(), /responded with 500/],
  ['a redirect', (_, response) => void response.writeHead(302, { location: '/' }).end(), /responded with 302/],
  ['no response in time', () => {}, /no response within 300 ms/],
  ['a connection that ends', (request) => void request.socket.destroy(), /did not respond as expected/],
  ['half a response', (_, response) => response.writeHead(200, { 'content-length': 9 }).flushHeaders(), /within 300/],
  [
    'a response without end',
    (_, response) => {
      const timer = setInterval(() => response.write(Buffer.alloc(4_000_000)), 1)
      response.once('close', () => clearInterval(timer))
    },
    /more than 16777216 bytes/,
  ],
] as const satisfies readonly (readonly [string, RequestListener, RegExp])[])(
  'is unavailable after %s',
  async ([, answer, message]) => {
    const store = await setUp(answer)
    await expect(store.find(item('1'), under())).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(message) as string,
    })
  },
)

test('ends a call when its signal aborts', async () => {
  const stop = new AbortController()
  const store = await setUp(() => stop.abort(new Error('the lease is over')))
  await expect(store.save(item('1'), under(stop.signal), 5)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('the lease is over') as string,
  })
})
