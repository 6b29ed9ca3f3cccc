/**
 * Runs the HTTP service in the test's own process. `createService` assembles it with the parts that the test replaces.
 */
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { onTestFinished } from 'vitest'
import { type Authenticate, openAccess } from '../http/access.ts'
import type { HttpOptions } from '../http/deps.ts'
import { type ItemStore, type ServiceStore, storeWith } from '../items/store.ts'
import { createMemoryStore } from '../items/stores/memory/store.ts'
import { loadServiceConfig } from '../service/config.ts'
import { createService } from '../service/service.ts'
import { type Clock, systemClock } from '../std/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'

/** Parts of the service that a test replaces. */
export interface TestAppOptions {
  /** Store of the app, which closes it. Default: a memory store. */
  readonly store?: ServiceStore
  readonly http?: Partial<HttpOptions>
  readonly authenticate?: Authenticate
  /** Clock for deadlines and times of day. Commits use the real clock. Default: the real one. */
  readonly clock?: Clock
  readonly maxPendingItems?: number
  readonly maxDepth?: number
  /** Number of recent ids that are kept. Default: 1000. */
  readonly recentItems?: number
}

export interface LogLine {
  readonly level: keyof Log
  readonly event: string
  readonly fields: object
}

/** The service in the test's process. */
export interface TestApp {
  readonly app: FastifyInstance
  readonly store: ServiceStore
  readonly log: readonly LogLine[]
  /** Announces the shutdown, like a SIGTERM. */
  leave(): void
  /** Starts to drain, like the service some time after SIGTERM. */
  drain(): void
  /** Listens on a free port. Resolves with the address, which begins with `http://`. */
  listen(): Promise<string>
  post(
    path: string,
    body: string | Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ): Promise<LightMyRequestResponse>
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<LightMyRequestResponse>
  /** Resolves with the contents of a collection as text, in order of creation. */
  stored(collection: string): Promise<string[]>
}

const HTTP_OPTIONS: HttpOptions = {
  maxItemBytes: 1_000,
  maxBatchBytes: 10_000,
  maxBatchItems: 100,
  idempotencyTtlMs: 60_000,
  maxReceivingBytes: 1_000_000,
  bodyIdleMs: 60_000,
  bodyTimeMs: 120_000,
  readStallMs: 60_000,
}

/** Creates an app that is closed with the test. */
export async function openTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { maxDepth = 64, recentItems = 1_000, maxPendingItems } = options
  const clock = options.clock ?? systemClock
  const lines: LogLine[] = []
  const service = await createService(
    loadServiceConfig({
      INGOT_MAX_DEPTH: String(maxDepth),
      INGOT_RECENT_ITEMS: String(recentItems),
      ...(maxPendingItems === undefined ? {} : { INGOT_MAX_PENDING_ITEMS: String(maxPendingItems) }),
    }),
    {
      store: options.store ?? createMemoryStore(),
      authenticate: options.authenticate ?? openAccess,
      clock,
      commitClock: { ...systemClock, wallMs: () => clock.wallMs() },
      log: recordingLog(lines),
      metrics: createMetrics(),
      http: { ...HTTP_OPTIONS, ...options.http },
    },
  )
  const { app, store } = service
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await service[Symbol.asyncDispose]()
  })
  return {
    app,
    store,
    log: lines,
    leave: () => service.leave(),
    drain() {
      service.leave()
      service.startDraining()
    },
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
    // async, so that the request is sent immediately: the result of inject is sent when it is first awaited
    post: async (url, payload, headers = {}) =>
      app.inject({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', ...headers },
        payload: typeof payload === 'string' ? payload : Buffer.from(payload),
      }),
    get: (url, headers = {}) => app.inject({ method: 'GET', url, headers }),
    stored: (collection) => storedTexts(store, collection),
  }
}

function recordingLog(lines: LogLine[]): Log {
  const level =
    (name: keyof Log) =>
    (fields: object, event: string): void =>
      void lines.push({ level: name, event, fields })
  return { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') }
}

/** Returns the store with some methods replaced. */
export function overStore(inner: ItemStore, changes: Partial<ItemStore>): ItemStore {
  return {
    capabilities: inner.capabilities,
    put: (units, nowMs) => inner.put(units, nowMs),
    collection: (name) => inner.collection(name),
    collections: (page) => inner.collections(page),
    define: (name, policy) => inner.define(name, policy),
    get: (collection, id) => inner.get(collection, id),
    list: (collection, page) => inner.list(collection, page),
    delete: (collection, id) => inner.delete(collection, id),
    deleteCollection: (collection, nowMs) => inner.deleteCollection(collection, nowMs),
    deletion: (collection, id) => inner.deletion(collection, id),
    purge: (nowMs, after) => inner.purge(nowMs, after),
    check: () => inner.check(),
    version: (collection) => inner.version(collection),
    beginEpoch: () => inner.beginEpoch(),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    ...changes,
  }
}

async function storedTexts(store: ServiceStore, collection: string): Promise<string[]> {
  const texts: string[] = []
  let after: string | undefined
  do {
    const page = await storeWith(store, 'list').list(collection, {
      limit: 1_000,
      ...(after === undefined ? {} : { after }),
    })
    texts.push(...page.items.map((item) => Buffer.from(item.content).toString('latin1')))
    after = page.next
  } while (after !== undefined)
  return texts
}

/** Returns the lines of a stream's response, in order. */
export function answerLines(body: string): Record<string, unknown>[] {
  return body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
