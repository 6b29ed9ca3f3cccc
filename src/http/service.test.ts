/** How the service reports on itself: health, metrics, traces, the OpenAPI document. */
import { Agent } from 'node:http'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { describe, expect, onTestFinished, test } from 'vitest'
import { answerLines, openTestApp } from '../testing/app.ts'
import { createFakeClock } from '../testing/clock.ts'
import { ask, openStream, wholeAnswer } from '../testing/http/requests.ts'
import {
  BatchAnswer,
  CollectionAnswer,
  ItemAnswer,
  PageAnswer,
  ProblemAnswer,
  StoredItem,
  StreamAnswer,
} from './routes/schemas.ts'

const ITEMS = '/v1/collections/things/items'
const JSON_TYPE = { 'content-type': 'application/json' }
const NDJSON = { 'content-type': 'application/x-ndjson' }

describe('health', () => {
  test('is alive and ready', async () => {
    const app = await openTestApp()
    for (const path of ['/livez', '/readyz']) {
      const answer = await app.get(path)
      expect([answer.statusCode, answer.body]).toEqual([200, 'ok\n'])
      expect(answer.headers['content-type']).toMatch(/^text\/plain/)
    }
  })

  test('is alive and not ready while it drains, and refuses requests on open connections', async () => {
    const app = await openTestApp()
    app.drain()
    expect((await app.get('/livez')).statusCode).toBe(200)
    expect((await app.get('/metrics')).statusCode).toBe(200)
    for (const answer of [await app.get('/readyz'), await app.post(ITEMS, '1'), await app.post(ITEMS, '1\n', NDJSON)]) {
      expect(answer.statusCode).toBe(503)
      expect(answer.json()).toMatchObject({ code: 'SHUTTING_DOWN' })
      expect(answer.headers).toMatchObject({ 'retry-after': '1', connection: 'close' })
    }
    expect(await app.stored('things')).toEqual([])
  })

  test('is not ready but still serves while it is about to end, and closes each connection', async () => {
    const app = await openTestApp()
    const url = await app.listen()
    const agent = new Agent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    const before = await ask(url + ITEMS, { method: 'POST', headers: JSON_TYPE, body: '1', agent })
    expect([before.status, before.headers.connection]).toEqual([201, 'keep-alive'])
    app.leave()
    expect((await app.get('/readyz')).statusCode).toBe(503)
    expect((await app.get('/livez')).statusCode).toBe(200)
    for (const [body, headers, status] of [
      ['2', JSON_TYPE, 201],
      ['3\n', NDJSON, 200],
    ] as const) {
      const answer = await ask(url + ITEMS, { method: 'POST', headers, body, agent })
      expect([answer.status, answer.headers.connection]).toEqual([status, 'close'])
    }
    expect(await app.stored('things')).toEqual(['1', '2', '3'])
  })

  test('finishes requests in progress when it begins to drain', async () => {
    const app = await openTestApp()
    const url = await app.listen()
    const { request, response } = openStream(url + ITEMS, { 'content-type': 'application/json' })
    request.write('{"a":')
    await ask(`${url}/livez`)
    app.drain()
    request.end('1}')
    expect((await wholeAnswer(await response)).status).toBe(201)
    expect(await app.stored('things')).toEqual(['{"a":1}'])
  })
})

describe('a body that is too slow', () => {
  /** Sends the beginning of a body. `again` sends more after a time, and waits until the service has it. */
  async function sendSlowly(options: { bodyIdleMs: number; bodyTimeMs: number }) {
    const clock = createFakeClock()
    const app = await openTestApp({ clock, http: options })
    const url = await app.listen()
    const { request, response } = openStream(url + ITEMS, JSON_TYPE)
    const answer = response.then(wholeAnswer)
    const closed = new Promise<void>((resolve) => request.on('socket', (socket) => socket.on('close', () => resolve())))
    request.write('[1')
    await ask(`${url}/livez`)
    async function again(afterMs: number): Promise<void> {
      await clock.advance(afterMs)
      request.write(' ')
      await ask(`${url}/livez`)
    }
    return { app, clock, answer, closed, again }
  }

  async function expectStalled({
    app,
    clock,
    answer,
    closed,
  }: Awaited<ReturnType<typeof sendSlowly>>): Promise<string> {
    const { status, headers, body } = await answer
    const problem = JSON.parse(body.toString()) as { code: string; detail: string }
    expect([status, headers.connection, problem.code]).toEqual([408, 'close', 'BODY_STALLED'])
    await clock.advance(1_000)
    await closed
    expect(await app.stored('things')).toEqual([])
    expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
    return problem.detail
  }

  test('is refused after a pause that is too long, and its connection is closed', async () => {
    const slow = await sendSlowly({ bodyIdleMs: 5_000, bodyTimeMs: 60_000 })
    await slow.again(4_900)
    await slow.again(4_900)
    await slow.clock.advance(5_000)
    expect(await expectStalled(slow)).toContain('no data came for 5000 ms')
  })

  test('is refused when it takes too long in total, however small its pauses are', async () => {
    const slow = await sendSlowly({ bodyIdleMs: 5_000, bodyTimeMs: 12_000 })
    await slow.again(4_000)
    await slow.again(4_000)
    await slow.clock.advance(4_000)
    expect(await expectStalled(slow)).toContain('did not end within 12000 ms')
  })
})

describe('all bodies together', () => {
  const http = { maxReceivingBytes: 40_000, maxItemBytes: 30_000, maxBatchBytes: 30_000 }

  test('share a budget: a request beyond it gets 429, and released bytes are available again', async () => {
    const app = await openTestApp({ http })
    const url = await app.listen()
    const unfinished = openStream(`${url}${ITEMS}:batch`, { ...JSON_TYPE, 'content-length': '30000' })
    unfinished.request.write(`["${'x'.repeat(25_000)}`)
    await expect.poll(async () => heldBytes(await app.get('/metrics'))).toBeGreaterThan(25_000)
    const refused = await app.post(ITEMS, JSON.stringify('y'.repeat(15_000)))
    expect([refused.statusCode, refused.headers['retry-after'], refused.json()]).toMatchObject([
      429,
      '1',
      { code: 'OVERLOADED', detail: expect.stringContaining('maxReceivingBytes') as string },
    ])
    expect((await app.post(ITEMS, '"small"')).statusCode).toBe(201)
    unfinished.request.on('error', () => {}).destroy()
    await expect.poll(async () => heldBytes(await app.get('/metrics'))).toBe(0)
    expect((await app.post(ITEMS, JSON.stringify('y'.repeat(15_000)))).statusCode).toBe(201)
    expect(app.log.filter((line) => line.level === 'error' || line.level === 'warn')).toEqual([])
  })

  test('count until the response is sent, and not longer', async () => {
    const app = await openTestApp({ http })
    for (let n = 0; n < 10; n++)
      expect((await app.post(ITEMS, JSON.stringify('y'.repeat(20_000 + n)))).statusCode).toBe(201)
    for (let n = 0; n < 10; n++) expect((await app.post(ITEMS, 'y'.repeat(20_000))).statusCode).toBe(400)
    expect(heldBytes(await app.get('/metrics'))).toBe(0)
  })
})

function heldBytes(metrics: { readonly body: string }): number {
  return Number(/^ingot_receiving_bytes (\d+)$/m.exec(metrics.body)?.[1])
}

test('a refused body closes its connection, and the client can read the reason', async () => {
  const app = await openTestApp()
  const url = await app.listen()
  for (const path of ['/nowhere', '/livez', `${ITEMS}:batch`]) {
    const endless = openStream(url + path, { 'content-type': 'text/plain' })
    const pump = setInterval(() => endless.request.write('x'.repeat(10_000)), 5)
    endless.request.on('error', () => {})
    const closed = new Promise<void>((resolve) => endless.request.on('close', () => resolve()))
    const { status, headers } = await wholeAnswer(await endless.response)
    expect([404, 405, 415]).toContain(status)
    expect(headers.connection).toBe('close')
    await closed
    clearInterval(pump)
  }
})

test('a client that sends Expect gets 100 Continue, and a refused one sends no body', async () => {
  const app = await openTestApp({ http: { maxItemBytes: 100 } })
  const url = await app.listen()
  for (const [length, expected] of [
    [10, { continued: true, status: 201 }],
    [200, { continued: false, status: 413 }],
  ] as const) {
    const headers = { ...JSON_TYPE, expect: '100-continue', 'content-length': String(length) }
    const { request, response } = openStream(url + ITEMS, headers)
    let continued = false
    request.on('continue', () => {
      continued = true
      request.end('1'.padEnd(length))
    })
    const { status } = await wholeAnswer(await response)
    expect({ continued, status }).toEqual(expected)
    request.on('error', () => {}).destroy()
  }
})

describe('metrics', () => {
  test('count items by outcome and kind of request, duplicates by the part that found them, and requests', async () => {
    const app = await openTestApp()
    await app.post(ITEMS, '1')
    await app.post(ITEMS, '1', { 'idempotency-key': 'k' })
    await app.post(ITEMS, '1', { 'idempotency-key': 'k' })
    await app.post(`${ITEMS}:batch`, '[2,2]')
    await app.post(ITEMS, '2\nnonsense\n', NDJSON)
    await app.post(ITEMS, 'nonsense')
    const answer = await app.get('/metrics')
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=/)
    for (const line of [
      'ingot_items_total{path="single",result="created"} 1',
      'ingot_items_total{path="single",result="duplicate"} 1',
      'ingot_items_total{path="batch",result="created"} 1',
      'ingot_items_total{path="batch",result="duplicate"} 1',
      'ingot_items_total{path="stream",result="duplicate"} 1',
      'ingot_items_total{path="stream",result="refused"} 1',
      'ingot_duplicates_total{found_by="batch"} 1',
      'ingot_duplicates_total{found_by="memory"} 1',
      'ingot_duplicates_total{found_by="store"} 1',
      'ingot_idempotent_replays_total 1',
      'ingot_http_requests_total{route="/v1/collections/:collection/items",method="POST",status="201",kind="single"} 1',
      'ingot_http_requests_total{route="/v1/collections/:collection/items",method="POST",status="400",kind="single"} 1',
    ]) {
      expect(answer.body.split('\n')).toContain(line)
    }
    const names = [...answer.body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    expect(names.filter((name) => !name?.startsWith('ingot_'))).toEqual([])
  })
})

describe('traces', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'

  test('continue the caller’s trace, in problem bodies and in the log', async () => {
    const app = await openTestApp()
    const answer = await app.post(ITEMS, '{', { traceparent: `00-${traceId}-00f067aa0ba902b7-01` })
    expect(answer.json()).toMatchObject({ traceId })
    const events = app.log.filter(({ fields }) => 'trace_id' in fields && fields.trace_id === traceId)
    expect(events.map((line) => line.event)).toEqual(['request refused', 'request answered'])
  })

  test('start anew when the caller’s trace is invalid', async () => {
    const app = await openTestApp()
    const ids = []
    for (const traceparent of ['nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]) {
      ids.push((await app.post(ITEMS, '{', { traceparent })).json<{ traceId: string }>().traceId)
    }
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^(?!0{32})[0-9a-f]{32}$/)
  })
})

test('neither content nor secrets are logged', async () => {
  const app = await openTestApp()
  await app.post(ITEMS, '{"name":"do-not-log-me"}')
  await app.post(ITEMS, '{"name":"do-not-log-me"', { authorization: 'Bearer do-not-log-me' })
  await app.post(ITEMS, '"do-not-log-me', NDJSON)
  expect(app.log.length).toBeGreaterThan(0)
  expect(JSON.stringify(app.log)).not.toContain('do-not-log-me')
})

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId?: string }>>>>
}

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const app = await openTestApp()
    const document = (await app.get('/openapi.json')).json<OpenApi>()
    expect(document.openapi).toMatch(/^3\.1\./)
    const { valid, errors } = await new Validator().validate({ ...document })
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
  })

  test('describes the tag and failures of every operation, and the body and header fields of writes', async () => {
    const app = await openTestApp()
    const { paths } = (await app.get('/openapi.json')).json<OpenApi>()
    for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
      const failure = { content: { 'application/problem+json': {} }, headers: { 'Retry-After': {} } }
      expect(operation).toMatchObject({
        operationId: expect.any(String) as string,
        summary: expect.any(String) as string,
        tags: [expect.any(String)],
        responses: { '4XX': failure, '5XX': failure },
      })
    }
    expect(paths['/v1/collections/{collection}/items']?.['post']).toMatchObject({
      requestBody: { content: { 'application/json': {}, 'application/octet-stream': {}, 'application/x-ndjson': {} } },
      parameters: [{ name: 'collection' }, { name: 'Idempotency-Key' }, { name: 'Prefer' }],
      responses: { '201': { headers: { Location: {} } } },
    })
    expect(paths['/v1/collections/{collection}/items:batch']?.['post']).toMatchObject({
      requestBody: { content: { 'application/json': { schema: { type: 'array' } } } },
    })
    expect(paths['/v1/collections/{collection}/items/{id}']?.['get']).toMatchObject({
      responses: { '200': { headers: { ETag: {} } } },
    })
  })

  test('names every route', async () => {
    const app = await openTestApp()
    const { paths } = (await app.get('/openapi.json')).json<OpenApi>()
    const named = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(named.toSorted()).toEqual(routesOf(app.app.printRoutes({ commonPrefix: false })).toSorted())
    expect(named).toContain('POST /v1/collections/{collection}/items:batch')
  })

  test('describes every response as it is', async () => {
    const app = await openTestApp()
    const created = await app.post(ITEMS, '1')
    await app.post(ITEMS, 'bytes', { 'content-type': 'application/octet-stream' })
    const stream = answerLines((await app.post(ITEMS, '1\n2\nnonsense\n', NDJSON)).body)
    const exported = answerLines((await app.get(ITEMS, { accept: 'application/x-ndjson' })).body)
    const answers: readonly (readonly [TSchema, unknown])[] = [
      [ItemAnswer, created.json()],
      [ItemAnswer, (await app.post(ITEMS, '1')).json()],
      [BatchAnswer, (await app.post(`${ITEMS}:batch`, '[1,3,1e999]')).json()],
      ...stream.map((line) => [StreamAnswer, line] as const),
      [PageAnswer, (await app.get(`${ITEMS}?limit=1`)).json()],
      ...exported.map((line) => [StoredItem, line] as const),
      [CollectionAnswer, (await app.get('/v1/collections/things')).json()],
      [ProblemAnswer, (await app.post(ITEMS, '{')).json()],
    ]
    expect(answers.length).toBeGreaterThan(12)
    for (const [schema, answer] of answers) expect([answer, ...Value.Errors(schema, answer)]).toEqual([answer])
  })
})

/** Returns the routes of fastify's tree in OpenAPI notation. HEAD comes with GET; the document does not name itself. */
function routesOf(tree: string): string[] {
  const stack: string[] = []
  const routes: string[] = []
  for (const line of tree.split('\n')) {
    const [, indent = '', part = '', methods = ''] = /^([│ ]*)[├└]── (\S+) \(([^)]*)\)/.exec(line) ?? []
    if (part === '') continue
    stack.length = indent.length / 4
    stack.push(part)
    const path = stack.join('').replaceAll(/\/:(\w+)/g, '/{$1}')
    for (const method of methods.split(', ')) if (method !== 'HEAD') routes.push(`${method} ${path}`)
  }
  return routes.filter((route) => route !== 'GET /openapi.json')
}
