import { createHash } from 'node:crypto'
import { get } from 'node:http'
import { describe, expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { createMemoryStore } from '../../items/stores/memory/store.ts'
import { openTestApp, overStore, type TestApp } from '../../testing/app.ts'
import { tokenAccess } from '../access.ts'

const events = (app: TestApp, headers: Record<string, string> = {}) => app.get('/v1/events?follow=false', headers)
const typesOf = (body: string): readonly string[] => [...body.matchAll(/^event: (.*)$/gm)].map(([, type = '']) => type)
const define = (app: TestApp, collection: string) =>
  app.app.inject({ method: 'PUT', url: `/v1/collections/${collection}`, payload: { kind: 'bytes' } })

describe('the status', () => {
  test('has the store with its epoch, the queue and its limits', async () => {
    const app = await openTestApp()
    const { epoch } = (await createMemoryStore().version('')) ?? {}
    expect(epoch).toBeTypeOf('string')
    const response = await app.get('/v1/status')
    expect(response.statusCode).toBe(200)
    expect(response.json()).toMatchObject({
      state: 'serving',
      store: { available: true, epoch: expect.any(String) as string },
      pending: { items: 0, bytes: 0, receivingBytes: 0, maxReceivingBytes: 1_000_000 },
      breakers: {},
      cache: { shared: false, recentItems: 1_000 },
    })
    expect(response.json()).not.toHaveProperty('locks')
  })

  test('is available while the service leaves and drains', async () => {
    const app = await openTestApp()
    app.leave()
    expect((await app.get('/v1/status')).json()).toMatchObject({ state: 'leaving' })
    app.drain()
    expect((await app.get('/v1/status')).json()).toMatchObject({ state: 'draining' })
    expect((await app.get('/v1/collections')).json()).toMatchObject({ code: 'SHUTTING_DOWN' })
  })

  test('reports a store that fails, and publishes each change once', async () => {
    let isDown = true
    const store = overStore(createMemoryStore(), {
      check: async () => {
        if (isDown) throw new IngotError('STORE_UNAVAILABLE', 'down')
      },
    })
    const app = await openTestApp({ store })
    expect((await app.get('/v1/status')).json()).toMatchObject({ store: { available: false } })
    await app.get('/readyz')
    isDown = false
    await app.get('/readyz')
    expect((await app.get('/v1/status')).json()).toMatchObject({ store: { available: true } })
    const types = typesOf((await events(app)).body)
    expect(types).toEqual(['service.started', 'store.unavailable', 'store.available', 'store.epoch'])
  })

  test('needs the right observe for every collection', async () => {
    const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex')
    const app = await openTestApp({
      authenticate: tokenAccess([
        { name: 'observer', sha256: sha256('o'), collections: { '*': ['observe'] } },
        { name: 'narrow', sha256: sha256('n'), collections: { things: ['observe'] } },
      ]),
    })
    for (const path of ['/v1/status', '/v1/events?follow=false']) {
      expect((await app.get(path, { authorization: 'Bearer o' })).statusCode).toBe(200)
      expect((await app.get(path, { authorization: 'Bearer n' })).json()).toMatchObject({ code: 'TOKEN_REFUSED' })
      expect((await app.get(path)).json()).toMatchObject({ code: 'TOKEN_MISSING' })
    }
  })
})

describe('the events', () => {
  test('name changes of collections, and no contents', async () => {
    const app = await openTestApp()
    await define(app, 'things')
    await define(app, 'things')
    await app.post('/v1/collections/others/items', '"a secret"')
    await app.app.inject({ method: 'DELETE', url: '/v1/collections/others' })
    const response = await events(app)
    expect(response.headers['content-type']).toBe('text/event-stream')
    expect(typesOf(response.body)).toEqual(['service.started', 'collection.defined', 'collection.deleted'])
    expect(response.body).not.toContain('secret')
  })

  test('continue after Last-Event-ID, and start again for the id of another process', async () => {
    const app = await openTestApp()
    await define(app, 'a')
    const [, first = '', second = ''] = /id: (.*)\n[\s\S]*id: (.*)\n/.exec((await events(app)).body) ?? []
    await define(app, 'b')
    expect(typesOf((await events(app, { 'last-event-id': first })).body)).toHaveLength(2)
    expect(typesOf((await events(app, { 'last-event-id': second })).body)).toEqual(['collection.defined'])
    for (const id of ['00000000.1', 'x', '']) {
      expect(typesOf((await events(app, { 'last-event-id': id })).body)).toHaveLength(3)
    }
  })

  test('report how many events a reader missed', async () => {
    const app = await openTestApp()
    const { body } = await events(app)
    for (let at = 0; at < 300; at++) await define(app, `c${at}`)
    const [, id = ''] = /id: (.*)\n/.exec(body) ?? []
    const late = (await events(app, { 'last-event-id': id })).body
    expect(late).toMatch(/^event: missed\ndata: \{"missed":44\}\n\n/)
    expect(typesOf(late)).toHaveLength(257)
  })

  test('arrive while a client follows, and end when the service drains', async () => {
    const app = await openTestApp()
    const url = await app.listen()
    const { promise: ended, resolve } = Promise.withResolvers<string>()
    const { promise: connected, resolve: connect } = Promise.withResolvers<void>()
    get(`${url}/v1/events`, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part
        if (body.includes('service.started')) connect()
        if (body.includes('collection.defined')) app.drain()
      })
      response.on('end', () => resolve(body))
    })
    await connected
    await define(app, 'things')
    expect(typesOf(await ended)).toEqual([
      'service.started',
      'collection.defined',
      'service.leaving',
      'service.draining',
    ])
  })

  test('refuse more than 32 clients at a time, and admit another after one has left', async () => {
    const app = await openTestApp()
    const url = await app.listen()
    const open = () =>
      new Promise<{ readonly status: number | undefined; readonly close: () => Promise<void> }>((resolve) => {
        const request = get(`${url}/v1/events`, { agent: false }, (response) => {
          response.resume().on('error', () => {})
          const close = () =>
            new Promise<void>((closed) => {
              response.once('close', closed)
              request.destroy()
            })
          resolve({ status: response.statusCode, close })
        })
      })
    const clients = await Promise.all(Array.from({ length: 32 }, open))
    expect(clients.map(({ status }) => status)).toEqual(clients.map(() => 200))
    const refused = await open()
    expect(refused.status).toBe(429)
    await clients[0]?.close()
    await expect.poll(async () => (await open()).status).toBe(200)
  })
})
