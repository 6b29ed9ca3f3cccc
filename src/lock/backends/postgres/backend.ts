/**
 * Locks in a Postgres database, one round trip per call. A lock is a row; an advisory lock of the transaction serialises
 * the calls on a key. No transaction stays open across round trips, so a pooler in transaction mode works.
 *
 * Limits: the server's wall clock ends leases. A failover to a standby for which commits do not wait may lose a held
 * lock and repeat fences.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { IngotError } from '../../../errors/error.ts'
import { type Listener, listen } from '../../../postgres/listener.ts'
import { COMMIT, createTransactions, type Statement, type Transactions } from '../../../postgres/transactions.ts'
import { abortable } from '../../../std/abort.ts'
import type { Clock } from '../../../std/clock.ts'
import { silentLog } from '../../../telemetry/log.ts'
import type { Capabilities, Lease, LeaseRequest } from '../../backend.ts'
import { composeFence } from '../../fencing/fence-store.ts'
import type { Attempt, Extension, Inspection, Key, Release, Ticket } from '../../lock.ts'
import { createTokenTurns, type TokenTurns } from '../../token-turns.ts'
import { createWaitEntries, type WaitEntries } from '../../wait-entries.ts'
import { postgresFailure } from './failure.ts'
import type { PostgresLock, PostgresLockDeps } from './options.ts'
import {
  DURABILITY,
  extendReply,
  extendStatement,
  inspectReply,
  inspectStatement,
  RAISE_TURN,
  raiseStatement,
  releaseStatement,
  type TakeReply,
  takeReply,
  takeStatement,
} from './statements.ts'

export type { PostgresLock, PostgresLockDeps } from './options.ts'

type Fencing = 'always' | 'within-epoch'
type Row = Readonly<Record<string, unknown>>

/** Longest time for one statement, in milliseconds. Callers have shorter deadlines; this frees the connection. */
const STATEMENT_MS = 2_000
const ERROR_CODE = 'LOCK_BACKEND_UNAVAILABLE'

class PostgresBackend implements PostgresLock {
  readonly name = 'postgres'
  capabilities: Capabilities<Fencing> = { fencing: 'always', wakes: false, fair: false }
  readonly #clock: Clock
  readonly #db: Transactions
  readonly #waitEntries: WaitEntries
  readonly #turns: TokenTurns = createTokenTurns(postgresFailure)
  readonly #channel = `ingot_lock_${randomBytes(12).toString('hex')}`
  #listener: Listener | undefined

  constructor(url: string, clock: Clock) {
    this.#clock = clock
    this.#db = createTransactions({ url, errorCode: ERROR_CODE, timeoutMs: STATEMENT_MS, clock })
    this.#waitEntries = createWaitEntries(clock)
  }

  async start(url: string, deps: PostgresLockDeps): Promise<void> {
    const { log = silentLog, directUrl } = deps
    await this.#db.once({ text: await readFile(new URL('./schema.sql', import.meta.url), 'utf8') })
    const [durability = {}] = (await this.#db.once(DURABILITY)).rows
    const fencing = fencingOf(durability)
    if (fencing === 'within-epoch') {
      log.warn(
        {},
        'postgres locks: commits do not wait for the standbys, so a failover may forget locks and repeat fences',
      )
    }
    await this.#raise(durability, deps)
    this.#listener = await listen({
      url: directUrl ?? url,
      errorCode: ERROR_CODE,
      channel: this.#channel,
      clock: this.#clock,
      message: (payload) => this.#wake(payload),
      gap: () => this.#waitEntries.wakeAll(),
    })
    const wakes = this.#listener !== undefined
    if (!wakes && directUrl !== undefined) throw new IngotError('LOCK_UNSUITABLE', 'the direct URL leads to a pooler')
    if (!wakes)
      log.info({}, 'postgres locks: waiters poll, because the URL leads to a pooler and there is no direct URL')
    this.capabilities = { fencing, wakes, fair: wakes }
  }

  tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<Fencing>> {
    return this.#turns.run([request.token], signal, async () => {
      const [attempt] = await this.#take([request])
      if (attempt === undefined) throw new Error('the server returned no row')
      return attempt
    })
  }

  async tryAcquireMany(requests: readonly LeaseRequest[], signal: AbortSignal): Promise<readonly Attempt<Fencing>[]> {
    if (requests.length === 0) return []
    const tokens = requests.map(({ token }) => token)
    const outcome = await this.#turns.run(tokens, signal, () => this.#take(requests))
    return 'kind' in outcome ? requests.map(() => outcome) : outcome
  }

  extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    return this.#turns.run<Extension>([request.token], signal, async () => {
      const sentMs = this.#clock.monotonicMs()
      const remainingMs = extendReply(await this.#row(extendStatement(request)))
      if (remainingMs === undefined) return { kind: 'lost' }
      return { kind: 'extended', ttlMs: this.#since(sentMs, Math.min(remainingMs, request.ttlMs)) }
    })
  }

  release(lease: Lease, signal: AbortSignal): Promise<Release> {
    this.#waitEntries.drop(lease.token)
    return this.#release(lease, false, signal)
  }

  inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    return this.#turns.run<Inspection>([], signal, async () => {
      const [row] = (await this.#db.once(inspectStatement(key))).rows
      return row === undefined ? { kind: 'free' } : { kind: 'held', ...inspectReply(row) }
    })
  }

  wait(_key: Key, ticket: Ticket, signal: AbortSignal): Promise<void> {
    return this.#waitEntries.wait(ticket, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waitEntries.wakeAll()
    await this.#listener?.[Symbol.asyncDispose]()
    await this.#db[Symbol.asyncDispose]()
  }

  async #take(requests: readonly LeaseRequest[]): Promise<readonly Attempt<Fencing>[]> {
    const waiting = this.#listener?.listening === true
    const queues = (request: LeaseRequest): boolean => waiting && request.willWait === true
    // the wake-up may arrive together with the refusal
    for (const request of requests) if (queues(request)) this.#waitEntries.take(request.token)
    const sentMs = this.#clock.monotonicMs()
    const { rows } = await this.#db.once(takeStatement(requests, (of) => (queues(of) ? this.#channel : '')))
    return requests.map((request, i) => this.#attempt(request, takeReply(rows[i] ?? {}), sentMs, queues(request)))
  }

  #attempt(request: LeaseRequest, reply: TakeReply, sentMs: number, queued: boolean): Attempt<Fencing> {
    const { remainingMs } = reply
    if (reply.kind !== 'held') {
      this.#waitEntries.drop(request.token)
      const ttlMs = reply.kind === 'granted' ? request.ttlMs : remainingMs
      return { kind: 'granted', fence: reply.fence, ttlMs: this.#since(sentMs, ttlMs) }
    }
    if (!queued) return { kind: 'held', remainingMs }
    this.#waitEntries.note(request.token, remainingMs)
    return { kind: 'held', remainingMs, ticket: request.token }
  }

  #release(lease: Lease, onlyIfKept: boolean, signal: AbortSignal): Promise<Release> {
    return this.#turns.run<Release>([lease.token], signal, async () => {
      const { released } = await this.#row(releaseStatement(lease, onlyIfKept))
      return { kind: released === true ? 'released' : 'lost' }
    })
  }

  /** Handles a notification "key token", the key in hexadecimal: the key is kept for that token. */
  #wake(payload: string): void {
    const [hex = '', token = ''] = payload.split(' ')
    const lease = { key: Buffer.from(hex, 'hex').toString(), token }
    // if this fails, the key is passed on a second later
    const passOn = (): void => void this.#release(lease, true, new AbortController().signal)
    this.#waitEntries.wake(token, passOn)
  }

  async #raise({ system, timeline }: Row, { fences }: PostgresLockDeps): Promise<void> {
    if (fences === undefined) return
    const identity = `postgres:${String(system)}:${String(timeline)}`
    const epoch = await fences.epochOf(identity, AbortSignal.timeout(STATEMENT_MS))
    const { begin } = this.#db
    await this.#db.session((exchange) => exchange([begin, RAISE_TURN, raiseStatement(composeFence(epoch, 0n)), COMMIT]))
  }

  async #row(statement: Statement): Promise<Row> {
    const [row] = (await this.#db.once(statement)).rows
    if (row === undefined) throw new Error('the server returned no row')
    return row
  }

  /** Returns what is left of a lease that began no earlier than the request was sent. */
  #since(sentMs: number, ttlMs: number): number {
    return Math.max(0, ttlMs - (this.#clock.monotonicMs() - sentMs))
  }
}

function fencingOf({ fsync, commits, names, standbys }: Row): Fencing {
  if (fsync === 'off') {
    throw new IngotError('LOCK_UNSUITABLE', 'Postgres has fsync off: a crash would forget locks; turn it on')
  }
  // the statements raise off to on
  const waits = String(names).trim() !== '' && commits !== 'local'
  return waits || Number(standbys) === 0 ? 'always' : 'within-epoch'
}

/**
 * Connects, creates the tables, and verifies that the server keeps what it grants. Rejects with `LOCK_ACCESS_REFUSED`,
 * `LOCK_TLS_FAILED`, `LOCK_UNSUITABLE`, `LOCK_BACKEND_UNAVAILABLE` or `FENCE_STORE_UNAVAILABLE`, and with the signal's
 * reason.
 */
export async function connectPostgresLock(
  url: string,
  deps: PostgresLockDeps,
  signal: AbortSignal,
): Promise<PostgresLock> {
  const backend = new PostgresBackend(url, deps.clock)
  try {
    await abortable(backend.start(url, deps), signal)
    return backend
  } catch (thrown) {
    await backend[Symbol.asyncDispose]()
    if (signal.aborted) throw thrown
    throw postgresFailure(thrown)
  }
}
