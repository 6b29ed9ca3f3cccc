/** Calls over TLS to a server whose certificate is signed by a private authority. */
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { DEFAULT_POLICY } from '../../../identity/policy.ts'
import { type Certificates, createCertificates } from '../../../testing/redis/certificates.ts'
import { item } from '../../contract.ts'
import { parseMapping } from './mapping.ts'
import { createHttpStore } from './store.ts'

let certificates: Certificates
beforeAll(() => {
  certificates = createCertificates()
})
afterAll(() => certificates[Symbol.dispose]())

const MAPPING = parseMapping({ find: { url: '/items?key={id}' }, save: { url: '/items', body: { key: '{id}' } } })

/** A TLS server, a store that trusts `authority`, and the requests that the server received. */
async function setUp(authority?: string, host = '127.0.0.1') {
  const asked: string[] = []
  const identity = { cert: certificates.read('server.pem'), key: certificates.read('server.key') }
  const server = createServer(identity, (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume()
    response.writeHead(request.method === 'POST' ? 201 : 404).end()
  })
  server.listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const trust = authority === undefined ? {} : { ca: certificates.read(authority) }
  const store = createHttpStore({ url: `https://${host}:${port}`, mapping: MAPPING, ...trust })
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]()
    server.closeAllConnections()
    server.close()
  })
  return { store, asked }
}

const under = () => ({
  collection: { name: 'things', policy: DEFAULT_POLICY },
  fence: undefined,
  signal: AbortSignal.timeout(10_000),
})

test('calls a server whose certificate is signed by the configured authority', async () => {
  const { store, asked } = await setUp('ca.pem')
  const one = item(1)
  expect(await store.find(one, under())).toEqual({ kind: 'absent' })
  expect(await store.save(one, under(), 5)).toEqual({ kind: 'saved', firstSeenMs: 5 })
  expect(asked).toEqual([`GET /items?key=${one.id}`, 'POST /items'])
})

test.for([
  ['no authority is configured', undefined],
  ['another authority is configured', 'other-ca.pem'],
] as const)('sends nothing to a server if %s', async ([, authority]) => {
  const { store, asked } = await setUp(authority)
  const outcome = store.save(item(1), under(), 5)
  await expect(outcome).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(outcome).rejects.toThrow(/^no trusted connection to the http store: .*INGOT_STORE_CA/)
  expect(asked).toEqual([])
})

test('sends nothing to a server whose certificate has another name', async () => {
  const { store, asked } = await setUp('ca.pem', '127.0.0.2')
  await expect(store.find(item(1), under())).rejects.toThrow('no trusted connection to the http store')
  expect(asked).toEqual([])
})
