/**
 * Assembles the service: store, locks, cache, pipeline and HTTP. `ingot serve` and the tests use it; the benches start
 * `ingot serve`.
 */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/schema.ts'
import { IngotError, reasonOf } from '../errors/error.ts'
import type { Authenticate } from '../http/access.ts'
import { buildApp } from '../http/app.ts'
import type { HttpOptions } from '../http/deps.ts'
import { createIngest } from '../items/pipeline/ingest.ts'
import type { ServiceStore } from '../items/store.ts'
import { type Clock, systemClock } from '../std/clock.ts'
import { durationOf } from '../std/duration.ts'
import { peerCertificates } from '../std/peer-certificates.ts'
import { createScope } from '../std/scope.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { createProcessMetrics, type Metrics } from '../telemetry/metrics.ts'
import { accessOf, listenAddressOf } from './address.ts'
import { measureBuild } from './build-info.ts'
import { openServiceCache } from './cache.ts'
import { measureCertificates } from './certificates.ts'
import { createServiceCommit } from './commit.ts'
import { createServicePurger } from './purger.ts'
import { createStartWait } from './start-wait.ts'
import { createStatus } from './status.ts'
import { measuredStore, openServiceStore } from './store.ts'
import { createServiceWatch } from './watch.ts'

/** Parts that replace those of the configuration. The service closes a given store. */
export interface ServiceOverrides {
  readonly store?: ServiceStore
  readonly authenticate?: Authenticate
  /** Clock for deadlines and timestamps. Default: the system's clock. */
  readonly clock?: Clock
  /** Clock for group commit. Default: `clock`. */
  readonly commitClock?: Clock
  /** Default: logs to standard error, at the configured level. */
  readonly log?: Log
  /** Default: includes the metrics of the process. */
  readonly metrics?: Metrics
  /** Ends the wait for a store or a lock service that is not available yet. Default: none. */
  readonly signal?: AbortSignal
  readonly http?: Partial<HttpOptions>
  /** Version of the package, for the status. Default: `?`. */
  readonly version?: string
}

export interface Service extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly store: ServiceStore
  readonly log: Log
  /** Listens on the configured address. Resolves with the URL. Rejects with IngotError CONFIG_INVALID. */
  listen(): Promise<string>
  /** Fails readiness. Requests are still served, and each response closes its connection. */
  leave(): void
  /** Ends open streams at their next line and refuses new requests. */
  startDraining(): void
  /** Drains, and resolves when every request has ended. After `deadlineMs` it cuts the remaining connections. */
  drain(deadlineMs: number): Promise<void>
}

/**
 * Opens everything that the configuration names. Rejects with IngotError CONFIG_INVALID, or with the error of the
 * store, lock service or fence store that cannot be opened. Nothing stays open then.
 */
export async function createService(config: Config, overrides: ServiceOverrides = {}): Promise<Service> {
  // refuses a wrong address or tokens file before anything is opened
  listenAddressOf(config)
  const authenticate = overrides.authenticate ?? accessOf(config)
  const scope = createScope()
  try {
    return await assemble(config, { ...overrides, authenticate }, scope)
  } catch (failure) {
    await scope.close()
    throw failure
  }
}

type Chosen = ServiceOverrides & Required<Pick<ServiceOverrides, 'authenticate'>>

async function assemble(config: Config, chosen: Chosen, scope: ReturnType<typeof createScope>): Promise<Service> {
  const { clock = systemClock, signal = new AbortController().signal } = chosen
  const log = chosen.log ?? createLog({ level: config.logLevel, fd: 2 })
  const metrics = chosen.metrics ?? createProcessMetrics()
  const open = createStartWait({ clock, log, signal }, durationOf(config.startWait))
  const watch = createServiceWatch(clock)
  const deps = { config, clock, log, metrics, scope, open, watch }
  measureBuild(metrics, config)
  measureCertificates(metrics, peerCertificates)
  const store = await storeOf(deps, chosen.store)
  const cache = await openServiceCache(deps, store)
  const commit = createServiceCommit({ ...deps, clock: chosen.commitClock ?? clock }, cache.commits)
  const ingest = createIngest({ store, commit, recent: cache.recent }, { maxDepth: config.maxDepth })
  const purger = createServicePurger(deps, store)
  const leaving = new AbortController()
  const draining = new AbortController()
  const status = createStatus({ config, version: chosen.version ?? '?', clock, store, commit, watch })
  const onStoreCheck = (code: string | undefined): void => watch.sawStore(code)
  const observed = { status, events: watch.events, onStoreCheck }
  const http = { ...observed, ingest, store, purger, authenticate: chosen.authenticate, clock, log, metrics }
  const app = await buildApp(
    { ...http, leaving: leaving.signal, draining: draining.signal },
    { ...httpOptionsOf(config), ...chosen.http },
  )
  scope.defer(() => app.close())
  watch.events.publish({ type: 'service.started' })
  const leave = (): void => {
    if (!leaving.signal.aborted) watch.events.publish({ type: 'service.leaving' })
    leaving.abort()
  }
  const startDraining = (): void => {
    if (!draining.signal.aborted) watch.events.publish({ type: 'service.draining' })
    draining.abort(new IngotError('SHUTTING_DOWN', 'the service is shutting down'))
  }
  return {
    app,
    store,
    log,
    listen: () => listen(app, config),
    leave,
    startDraining,
    drain(deadlineMs) {
      log.info({ deadlineMs }, 'draining')
      startDraining()
      return closeWithin(app, { log, clock, deadlineMs })
    },
    [Symbol.asyncDispose]: () => scope.close(),
  }
}

async function storeOf(deps: Parameters<typeof openServiceStore>[0], given?: ServiceStore): Promise<ServiceStore> {
  if (given === undefined) return openServiceStore(deps)
  deps.scope.defer(() => given[Symbol.asyncDispose]())
  return measuredStore(deps, given)
}

function httpOptionsOf(config: Config): HttpOptions {
  return {
    maxItemBytes: config.maxItemBytes,
    maxBatchBytes: config.maxBatchBytes,
    maxBatchItems: config.maxBatchItems,
    maxReceivingBytes: config.maxReceivingBytes,
    idempotencyTtlMs: durationOf(config.idempotencyTtl),
    bodyIdleMs: durationOf(config.bodyIdle),
    bodyTimeMs: durationOf(config.bodyTime),
    readStallMs: durationOf(config.readStall),
  }
}

async function listen(app: FastifyInstance, config: Config): Promise<string> {
  try {
    await app.listen({ ...listenAddressOf(config), backlog: 1_024 })
  } catch (cause) {
    throw new IngotError('CONFIG_INVALID', `cannot listen on INGOT_LISTEN "${config.listen}": ${reasonOf(cause)}`, {
      cause,
    })
  }
  return urlOf(app.server.address())
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return String(address)
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}

interface Closing {
  readonly log: Log
  readonly clock: Clock
  readonly deadlineMs: number
}

async function closeWithin(app: FastifyInstance, { log, clock, deadlineMs }: Closing): Promise<void> {
  const timer = clock.timer(deadlineMs, () => {
    log.warn({ deadlineMs }, 'cutting requests that did not end in time')
    app.server.closeAllConnections()
  })
  await app.close()
  timer.cancel()
  log.info({}, 'drained')
}
