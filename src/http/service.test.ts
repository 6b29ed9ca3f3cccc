/** What the service says of itself: health, metrics, traces, the OpenAPI document. */
import { Agent } from 'node:http'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { describe, expect, onTestFinished, test } from 'vitest'
import { answerLines, openTestApp } from '../testing/app.ts'
import { createFakeClock } from '../testing/clock.ts'
import { ask, openStream, wholeAnswer } from '../testing/requests.ts'
import {
  BatchAnswer,
  CollectionAnswer,
  ItemAnswer,
  PageAnswer,
  ProblemAnswer,
  StoredItem,
  StreamAnswer,
} from './schemas.ts'

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

  test('is alive and not ready while it drains, and refuses what comes on open connections', async () => {
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

  test('is not ready and answers all the same while it is about to end, closing each connection', async () => {
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

  test('answers what is under way when it begins to drain', async () => {
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

test('a body that does not go on is refused, and its connection closed', async () => {
  const clock = createFakeClock()
  const app = await openTestApp({ clock, http: { bodyIdleMs: 5_000 } })
  const url = await app.listen()
  const { request, response } = openStream(url + ITEMS, { 'content-type': 'application/json' })
  const answer = response.then(wholeAnswer)
  request.write('{"a":')
  await ask(`${url}/livez`)
  await clock.advance(4_900)
  request.write('1')
  await ask(`${url}/livez`)
  await clock.advance(4_900)
  await ask(`${url}/livez`)
  await clock.advance(200)
  const { status, headers, body } = await answer
  expect([status, headers.connection, JSON.parse(body.toString())]).toMatchObject([
    408,
    'close',
    { code: 'BODY_STALLED' },
  ])
  expect(await app.stored('things')).toEqual([])
  expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
})

describe('metrics', () => {
  test('count items by outcome and way, duplicates by what found them, and requests', async () => {
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
      'ingot_http_requests_total{route="/v1/collections/:collection/items",method="POST",status="201"} 1',
      'ingot_http_requests_total{route="/v1/collections/:collection/items",method="POST",status="400"} 1',
    ]) {
      expect(answer.body.split('\n')).toContain(line)
    }
    const names = [...answer.body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    expect(names.filter((name) => !name?.startsWith('ingot_'))).toEqual([])
  })
})

describe('traces', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'

  test('join the caller’s, in problem bodies and in the log', async () => {
    const app = await openTestApp()
    const answer = await app.post(ITEMS, '{', { traceparent: `00-${traceId}-00f067aa0ba902b7-01` })
    expect(answer.json()).toMatchObject({ traceId })
    const events = app.log.filter((line) => 'traceId' in line.fields && line.fields.traceId === traceId)
    expect(events.map((line) => line.event)).toEqual(['request refused', 'request answered'])
  })

  test('begin anew when the caller’s is none', async () => {
    const app = await openTestApp()
    const ids = []
    for (const traceparent of ['nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]) {
      ids.push((await app.post(ITEMS, '{', { traceparent })).json<{ traceId: string }>().traceId)
    }
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^(?!0{32})[0-9a-f]{32}$/)
  })
})

test('no content and no secret goes into the log', async () => {
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
  test('is valid, and of version 3.1', async () => {
    const app = await openTestApp()
    const document = (await app.get('/openapi.json')).json<OpenApi>()
    expect(document.openapi).toMatch(/^3\.1\./)
    const { valid, errors } = await new Validator().validate({ ...document })
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
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

  test('describes every answer as it is', async () => {
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

/** Routes of fastify's tree, in the words of OpenAPI. HEAD comes with GET; the document does not name itself. */
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
