/** The service: configuration, store, ingest, HTTP, and an end that answers what it took. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { loadTokens } from '../config/tokens.ts'
import { type Authenticate, openAccess, tokenAccess } from '../http/access.ts'
import { buildApp } from '../http/app.ts'
import { COLLECTION_NAME_PATTERN } from '../items/item.ts'
import { createIngest } from '../items/pipeline/ingest.ts'
import type { ItemStore } from '../items/store.ts'
import { openServiceCache, type ServiceCache } from '../service/cache.ts'
import { createServiceCommit } from '../service/commit.ts'
import { storePlace } from '../service/configured-store.ts'
import { createStartWait } from '../service/start-wait.ts'
import { openServiceStore } from '../service/store.ts'
import type { Clock } from '../std/clock.ts'
import { durationOf } from '../std/duration.ts'
import { IngotError, reasonOf } from '../std/error.ts'
import { createScope } from '../std/scope.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { createProcessMetrics, type Metrics } from '../telemetry/metrics.ts'
import { defineCommand, EXIT, type Io } from './line/command.ts'

export const serve = defineCommand({
  help: `
Serves the HTTP API until Ctrl-C or SIGTERM; then it stops accepting, answers what is under way, and ends.
Settings come from the environment (INGOT_LISTEN, INGOT_DATA, ...) and from the JSON file that INGOT_CONFIG names.`,
  examples: ['ingot serve', 'INGOT_LISTEN=127.0.0.1:9000 INGOT_DATA=/var/lib/ingot ingot serve'],
  options: {},
  async run(_args, io) {
    const config = loadConfig()
    // before anything is started
    addressOf(config)
    const authenticate = accessOf(config)
    await using scope = createScope()
    const { clock, signal } = io
    const log = createLog({ level: config.logLevel, fd: 2 })
    const metrics = createProcessMetrics()
    const open = createStartWait({ clock, log, signal }, durationOf(config.startWait))
    const parts = { config, clock, log, metrics, scope, open }
    const store = await openServiceStore(parts)
    const cache = await openServiceCache(parts, store)
    const leaving = new AbortController()
    const draining = new AbortController()
    const signals = { leaving: leaving.signal, draining: draining.signal }
    const deps = { config, store, cache, authenticate, log, metrics, clock, ...signals }
    const app = await assemble(deps)
    scope.defer(() => app.close())
    const url = await listen(app, config)
    greet(io, config, url)
    log.info({ url, store: storePlace(config), pid: process.pid }, 'serving')
    await aborted(signal)
    leaving.abort()
    log.info({ delay: config.drainDelay }, 'leaving')
    await clock.sleep(durationOf(config.drainDelay))
    await drain(app, { draining, log, clock, deadlineMs: durationOf(config.drain) })
    return EXIT.fine
  },
})

interface Parts {
  readonly config: Config
  readonly metrics: Metrics
  readonly store: ItemStore
  readonly cache: ServiceCache
  readonly authenticate: Authenticate
  readonly log: Log
  readonly clock: Clock
  readonly leaving: AbortSignal
  readonly draining: AbortSignal
}

async function assemble(parts: Parts): Promise<FastifyInstance> {
  const { config, store, cache } = parts
  const commit = createServiceCommit(parts, cache.commits)
  const ingest = createIngest({ store, commit, recent: cache.recent }, { maxDepth: config.maxDepth })
  return buildApp(
    { ...parts, ingest },
    {
      maxItemBytes: config.maxItemBytes,
      maxBatchBytes: config.maxBatchBytes,
      maxBatchItems: config.maxBatchItems,
      maxReceivingBytes: config.maxReceivingBytes,
      idempotencyTtlMs: durationOf(config.idempotencyTtl),
      bodyIdleMs: durationOf(config.bodyIdle),
      bodyTimeMs: durationOf(config.bodyTime),
      readStallMs: durationOf(config.readStall),
    },
  )
}

/** Without tokens only this machine itself is let in, unless access was switched off by name. */
function accessOf(config: Config): Authenticate {
  if (config.access === 'off') return openAccess
  if (config.tokensFile !== undefined)
    return tokenAccess(loadTokens(config.tokensFile, new RegExp(COLLECTION_NAME_PATTERN)))
  if (isLoopback(addressOf(config).host)) return openAccess
  throw new IngotError(
    'CONFIG_INVALID',
    `INGOT_LISTEN is "${config.listen}", which others can reach, and there is no INGOT_TOKENS_FILE; name one, or set INGOT_ACCESS=off to let everybody in`,
  )
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function addressOf(config: Config): { readonly host: string; readonly port: number } {
  const at = config.listen.lastIndexOf(':')
  const port = Number(config.listen.slice(at + 1))
  if (port > 65_535) {
    throw new IngotError(
      'CONFIG_INVALID',
      `INGOT_LISTEN is "${config.listen}": there is no port ${port}, use 0 to 65535`,
    )
  }
  return { host: config.listen.slice(0, at).replaceAll(/[[\]]/g, ''), port }
}

async function listen(app: FastifyInstance, config: Config): Promise<string> {
  try {
    await app.listen({ ...addressOf(config), backlog: 1_024 })
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

function greet(io: Io, config: Config, url: string): void {
  io.stdout.write(`ingot serves ${url}, items are kept in ${storePlace(config)}

Send a first item, and then the same again:
  curl -i ${url}/v1/collections/orders/items -H 'content-type: application/json' -d '{"order": 1, "total": 9.5}'

API: ${url}/openapi.json   Ctrl-C ends.
`)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

interface Draining {
  readonly draining: AbortController
  readonly log: Log
  readonly clock: Clock
  readonly deadlineMs: number
}

/** Stops accepting, lets streams end at their next line and requests finish; past the deadline connections are cut. */
async function drain(app: FastifyInstance, { draining, log, clock, deadlineMs }: Draining): Promise<void> {
  log.info({ deadlineMs }, 'draining')
  draining.abort(new IngotError('SHUTTING_DOWN', 'the service is shutting down'))
  const timer = clock.timer(deadlineMs, () => {
    log.warn({ deadlineMs }, 'cutting what did not end in time')
    app.server.closeAllConnections()
  })
  await app.close()
  timer.cancel()
  log.info({}, 'drained')
}
