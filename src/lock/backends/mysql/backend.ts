/**
 * Locks in a MySQL or MariaDB database, one round trip per call. A lock is a row. The row of a free key stays, because its
 * fence is the counter of the key; a sweeper deletes old rows and raises the floor of new ones. Waiters poll.
 *
 * Limits: the server's wall clock ends leases. A failover to a replica may lose a held lock and repeat fences.
 */
import { readFile } from 'node:fs/promises'
import { IngotError } from '../../../errors/error.ts'
import { abortable } from '../../../std/abort.ts'
import type { Clock, Timer } from '../../../std/clock.ts'
import { silentLog } from '../../../telemetry/log.ts'
import type { Capabilities, Lease, LeaseRequest } from '../../backend.ts'
import { composeFence } from '../../fencing/fence-store.ts'
import type { Attempt, Extension, Inspection, Key, Release } from '../../lock.ts'
import { parseServiceUrl, readTlsFiles } from '../../service-url.ts'
import { createTokenTurns, type TokenTurns } from '../../token-turns.ts'
import { createDatabase, type Database, type Row } from './database.ts'
import { durabilityOf } from './durability.ts'
import type { MysqlLock, MysqlLockDeps } from './options.ts'
import {
  DURABILITY,
  extendStatement,
  inspectStatement,
  raiseStatement,
  releaseStatement,
  SWEEP,
  takeStatement,
} from './statements.ts'

export type { MysqlLock, MysqlLockDeps } from './options.ts'

type Fencing = 'always' | 'within-epoch'

const PORT = 3_306
const SWEEP_MS = 600_000
const millisecondsIn = (row: Row): number => Number(row['left_us']) / 1_000
const fenceIn = (row: Row): bigint => BigInt(String(row['fence']))

class MysqlBackend implements MysqlLock {
  readonly name = 'mysql'
  capabilities: Capabilities<Fencing> = { fencing: 'always' }
  readonly #clock: Clock
  readonly #database: Database
  readonly #turns: TokenTurns = createTokenTurns(mysqlFailure)
  #sweeper: Timer | undefined

  constructor(database: Database, clock: Clock) {
    this.#clock = clock
    this.#database = database
  }

  async start({ log = silentLog, fences }: MysqlLockDeps, identity: string, signal: AbortSignal): Promise<void> {
    const [row = {}] = await this.#database.run(DURABILITY)
    const { fencing, reason } = durabilityOf(row)
    await this.#database.run({ text: await readFile(new URL('./schema.sql', import.meta.url), 'utf8'), values: [] })
    this.capabilities = { fencing }
    if (reason !== undefined) log.warn({}, `mysql locks: ${reason}, so a failover may forget locks and repeat fences`)
    if (fences !== undefined) {
      const epoch = await fences.epochOf(`mysql:${identity}`, signal)
      await this.#database.run(raiseStatement(composeFence(epoch, 0n)))
    }
    this.#sweepLater()
  }

  tryAcquire({ key, token, ttlMs }: LeaseRequest, signal: AbortSignal): Promise<Attempt<Fencing>> {
    return this.#turns.run<Attempt<Fencing>>([token], signal, async () => {
      const [row] = await this.#database.run(takeStatement(key, token, ttlMs))
      if (row === undefined) throw new Error('the server returned no row')
      const remainingMs = Math.max(0, millisecondsIn(row))
      if (row['token'] !== token) return { kind: 'held', remainingMs }
      return { kind: 'granted', fence: fenceIn(row), ttlMs: Math.min(ttlMs, remainingMs) }
    })
  }

  extend({ key, token, ttlMs }: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    return this.#turns.run<Extension>([token], signal, async () => {
      const [row] = await this.#database.run(extendStatement(key, token, ttlMs))
      if (row === undefined) return { kind: 'lost' }
      return { kind: 'extended', ttlMs: Math.min(ttlMs, millisecondsIn(row)) }
    })
  }

  release({ key, token }: Lease, signal: AbortSignal): Promise<Release> {
    return this.#turns.run<Release>([token], signal, async () => {
      const [row] = await this.#database.run(releaseStatement(key, token))
      return { kind: Number(row?.['changed']) === 1 ? 'released' : 'lost' }
    })
  }

  inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    return this.#turns.run<Inspection>([], signal, async () => {
      const [row] = await this.#database.run(inspectStatement(key))
      return row === undefined
        ? { kind: 'free' }
        : { kind: 'held', remainingMs: millisecondsIn(row), fence: fenceIn(row) }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweeper?.cancel()
    await this.#database[Symbol.asyncDispose]()
  }

  #sweepLater(): void {
    this.#sweeper = this.#clock.timer(SWEEP_MS, () => void this.#sweep())
  }

  async #sweep(): Promise<void> {
    // after a failure the next sweep does it
    await this.#database.run(SWEEP).catch(() => {})
    this.#sweepLater()
  }
}

function mysqlFailure(thrown: unknown): IngotError {
  if (thrown instanceof IngotError) return thrown
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return new IngotError('LOCK_BACKEND_UNAVAILABLE', `MySQL did not answer as it should: ${reason}`, { cause: thrown })
}

/**
 * Connects to `mysql://user:password@host[:3306]/database` (or `mariadb://`), with TLS to
 * `mysqls://…?ca=FILE&cert=FILE&key=FILE`, and creates the tables. Rejects with `CONFIG_INVALID`, `LOCK_ACCESS_REFUSED`,
 * `LOCK_TLS_FAILED`, `LOCK_UNSUITABLE`, `LOCK_BACKEND_UNAVAILABLE` or `FENCE_STORE_UNAVAILABLE`, and with the signal's
 * reason.
 */
export async function connectMysqlLock(url: string, deps: MysqlLockDeps, signal: AbortSignal): Promise<MysqlLock> {
  const parsed = parseServiceUrl(url, PORT, ['ca', 'cert', 'key'])
  if (parsed.servers.length !== 1 || parsed.path === '') {
    throw new IngotError('CONFIG_INVALID', 'the lock URL is not mysql://user:password@host:port/database')
  }
  const tls = /^(mysqls|mariadbs):/.test(url) ? readTlsFiles(parsed.parameters) : undefined
  const database = createDatabase(parsed, tls)
  const backend = new MysqlBackend(database, deps.clock)
  const { host, port } = parsed.servers[0] ?? { host: '', port: 0 }
  try {
    await abortable(backend.start(deps, `${host}:${port}/${parsed.path}`, signal), signal)
    return backend
  } catch (thrown) {
    await backend[Symbol.asyncDispose]()
    throw signal.aborted ? thrown : mysqlFailure(thrown)
  }
}
