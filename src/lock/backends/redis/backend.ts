/**
 * Locks on Redis, with the same scripts for one server, Sentinel and Cluster. A lock is a key with an expiry. Acquiring
 * (grant with fence, or refusal with wait entry) is one atomic script, and so is releasing to the next waiter.
 *
 * Limits: Redis replicates asynchronously, so an unplanned failover may lose a held lock. The expiry depends on the
 * server's wall clock. In both cases two holders may run at once, and the fence decides.
 */
import { randomBytes } from 'node:crypto'
import { IngotError } from '../../../errors/error.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { createRedisConnection } from '../../../redis/deployment.ts'
import { Unsent } from '../../../redis/failure.ts'
import { parseRedisUrl } from '../../../redis/redis-url.ts'
import type { Clock } from '../../../std/clock.ts'
import { silentLog } from '../../../telemetry/log.ts'
import type { Lease, LeaseRequest } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import type { Attempt, Extension, Inspection, Key, Release, Ticket, Unavailable } from '../../lock.ts'
import { aborted, orAborted, unavailable, unavailableKey } from '../../outage.ts'
import { createWaitEntries, type WaitEntries } from '../../wait-entries.ts'
import { type Batcher, type BatchOptions, createBatcher } from './batch.ts'
import { createEpochs, type Epochs } from './epochs.ts'
import { createNames, type LockNames, type Names } from './keys.ts'
import { MARK_WAITS } from './marks.ts'
import type { RedisLock, RedisLockDeps, RedisLockOptions } from './options.ts'
import {
  type AcquireReply,
  createScripts,
  type LeaseCommand,
  type MissingEpoch,
  type PendingAttempt,
  type ReleaseCommand,
  type Scripts,
  type Sent,
} from './scripts.ts'

/** How long a released key is reserved for the next waiter, in milliseconds. A frozen waiter delays others by this. */
export const KEEP_MS = 500
/**
 * Largest batch. While the server runs one batch, the client prepares the next: with 64 keys at once, 32 gave twice the
 * throughput of 128. A script of this size blocks the server for an eighth of a millisecond.
 */
const MAX_BATCH = 32
/** Maximum number of times that one attempt waits for an epoch. Most of these waits are for another client. */
const MAX_EPOCH_WAITS = MARK_WAITS + 4

export type { RedisLock } from './options.ts'

type Fencing = 'always' | 'within-epoch'
type Outcome = Attempt<Fencing> | Promise<Attempt<Fencing>>

class RedisBackend<F extends Fencing> {
  readonly name = 'redis'
  readonly capabilities: { readonly fencing: F; readonly wakes: true; readonly fair: true }
  readonly #clock: Clock
  readonly #connection: RedisConnection
  readonly #names: Names
  readonly #waitEntries: WaitEntries
  readonly #epochs: Epochs | undefined
  readonly #client = randomBytes(9).toString('base64url')
  readonly #scripts: Scripts
  readonly #acquisitions: Batcher<PendingAttempt, Attempt<Fencing>>
  readonly #releases: Batcher<ReleaseCommand, Release>
  /** The wake-up channels of this client, by tag. */
  readonly #channels: string[] = []

  constructor(
    url: string,
    deps: RedisLockDeps & { readonly fences?: FenceStore },
    options: RedisLockOptions,
    fencing: F,
  ) {
    const { namespace = 'ingot', settings } = options
    if (!/^[\w.-]{1,64}$/.test(namespace))
      throw new IngotError('CONFIG_INVALID', `"${namespace}" is no valid namespace`)
    const listeners = {
      message: (_channel: string, payload: string) => this.#wake(payload),
      gap: () => this.#waitEntries.wakeAll(),
      lost: () => this.#epochs?.connectionLost(),
      announced: () => this.#epochs?.invalidate(),
    }
    const log = deps.log ?? silentLog
    this.capabilities = { fencing, wakes: true, fair: true }
    this.#clock = deps.clock
    this.#connection = createRedisConnection(parseRedisUrl(url), { log, listeners }, settings)
    this.#names = createNames(namespace)
    this.#waitEntries = createWaitEntries(deps.clock)
    const parts = { ...deps, log, connection: this.#connection, client: this.#client, keys: this.#names.fences }
    this.#epochs = deps.fences === undefined ? undefined : createEpochs({ ...parts, fences: deps.fences })
    const terms = { client: this.#client, epochs: this.#epochs, keepMs: KEEP_MS }
    this.#scripts = createScripts(this.#connection, terms)
    this.#acquisitions = this.#batcher((batch) => this.#acquire(batch))
    this.#releases = this.#batcher((batch) => this.#scripts.release(batch))
  }

  connect(signal: AbortSignal): Promise<void> {
    return this.#connection.connect(signal)
  }

  tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<Fencing>> {
    const { key, token, ttlMs, willWait = false } = request
    const names = this.#names.of(key)
    const queue = willWait && this.#connection.subscribed(this.#channelOf(names))
    return this.#submit({ token, ttlMs, names, queue, signal, willWait, epochWaits: 0 })
  }

  tryAcquireMany(requests: readonly LeaseRequest[], signal: AbortSignal): Promise<readonly Attempt<Fencing>[]> {
    // calls made in the same turn of the event loop share a command
    return Promise.all(requests.map((request) => this.tryAcquire(request, signal)))
  }

  extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    const { lock } = this.#names.of(request.key)
    return this.#asOutcome(signal, this.#extend(request, lock, signal))
  }

  release({ key, token }: Lease, signal: AbortSignal): Promise<Release> {
    this.#waitEntries.drop(token)
    return this.#releases.submit({ token, names: this.#names.of(key), signal })
  }

  inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    const { lock } = this.#names.of(key)
    return this.#asOutcome(signal, this.#inspect(lock, signal))
  }

  wait(_key: Key, ticket: Ticket, signal: AbortSignal): Promise<void> {
    return this.#waitEntries.wait(ticket, signal)
  }

  fenceRefused(key: Key, fence: bigint): void {
    this.#epochs?.fenceRefused(this.#names.of(key).tag, fence)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waitEntries.wakeAll()
    await this.#connection[Symbol.asyncDispose]()
  }

  /** Converts an error or an abort into an `unavailable` value. */
  #asOutcome<T>(signal: AbortSignal, work: Promise<T>): Promise<T | Unavailable> {
    const outcome = work.catch((error: unknown) => unavailable(this.#connection.description, error))
    return orAborted(outcome, signal)
  }

  #channelOf({ tag, channels }: LockNames): string {
    return (this.#channels[tag] ??= channels + this.#client)
  }

  #submit(pending: PendingAttempt): Promise<Attempt<Fencing>> {
    const refreshed = this.#epochs?.refreshed()
    return refreshed === undefined
      ? this.#send(pending)
      : this.#asOutcome(pending.signal, this.#sendAfter(refreshed, pending))
  }

  async #sendAfter(refreshed: Promise<void>, pending: PendingAttempt): Promise<Attempt<Fencing>> {
    // if the process was stopped meanwhile, the refreshed state may already be too old again
    for (let due: Promise<void> | undefined = refreshed; due !== undefined; due = this.#epochs?.refreshed()) await due
    return this.#send(pending)
  }

  #send(pending: PendingAttempt): Promise<Attempt<Fencing>> {
    if (pending.queue) this.#waitEntries.take(pending.token)
    return this.#acquisitions.submit(pending)
  }

  #acquire(batch: readonly PendingAttempt[]): Promise<readonly Outcome[]> {
    const sentMs = this.#clock.monotonicMs()
    const fills = this.#epochs?.fills ?? 0
    return this.#scripts.acquire(batch, (replies) => {
      // the leases began no earlier than the command was sent
      const spentMs = this.#clock.monotonicMs() - sentMs
      return batch.map((pending, i) => this.#outcome(pending, replies[i], { spentMs, fills }))
    })
  }

  #outcome(pending: PendingAttempt, reply: AcquireReply | undefined, { spentMs, fills }: Sent): Outcome {
    if (reply === undefined) return unavailable(`${this.#connection.description}: a reply is missing`)
    switch (reply.kind) {
      case 'held':
        return this.#refusal(pending, reply.remainingMs)
      case 'granted':
      case 'repeated': {
        this.#waitEntries.drop(pending.token)
        const ttlMs = (reply.kind === 'granted' ? pending.ttlMs : reply.remainingMs) - spentMs
        return { kind: 'granted', fence: reply.fence, ttlMs: Math.max(0, ttlMs) }
      }
      case 'missing-epoch':
        return this.#asOutcome(pending.signal, this.#afterAdoption(pending, reply, fills))
      case 'demoted':
        // nothing closes this connection by itself, and it may keep leading to the demoted server
        this.#connection.renew(pending.names.lock)
        return unavailable(`${this.#connection.description}: the server is not a primary any more`)
      case 'exhausted':
        return unavailableKey(new IngotError('FENCE_EXHAUSTED', 'the epoch of this key has no number left'))
      case 'foreign':
        return unavailableKey(this.#foreign(pending.names[reply.which]))
      default:
        return reply satisfies never
    }
  }

  #refusal(pending: PendingAttempt, leftMs: number): Outcome {
    const remainingMs = leftMs < 0 ? undefined : leftMs
    if (pending.queue) {
      if (remainingMs !== undefined) this.#waitEntries.note(pending.token, remainingMs)
      return { kind: 'held', remainingMs, ticket: pending.token }
    }
    return pending.willWait
      ? this.#asOutcome(pending.signal, this.#afterSubscription(pending))
      : { kind: 'held', remainingMs }
  }

  /**
   * Subscribes before queueing: only a subscribed client can be woken. A release before the next attempt leaves the key
   * free.
   */
  async #afterSubscription(pending: PendingAttempt): Promise<Attempt<Fencing>> {
    await this.#connection.subscribe(this.#channelOf(pending.names))
    return this.#submit({ ...pending, queue: true })
  }

  /** Repeats the attempt after an epoch is confirmed for the server. */
  async #afterAdoption(pending: PendingAttempt, missing: MissingEpoch, fills: number): Promise<Attempt<Fencing>> {
    if (this.#epochs === undefined || pending.epochWaits === MAX_EPOCH_WAITS) {
      return unavailable(`${this.#connection.description}: the server changed repeatedly`)
    }
    await this.#epochs.settle(pending.names.tag, missing, fills)
    return this.#submit({ ...pending, epochWaits: pending.epochWaits + 1 })
  }

  async #extend({ token, ttlMs }: LeaseRequest, lock: string, signal: AbortSignal): Promise<Extension> {
    const sentMs = this.#clock.monotonicMs()
    if (!(await this.#scripts.extend(lock, { token, ttlMs }, signal))) return { kind: 'lost' }
    return { kind: 'extended', ttlMs: Math.max(0, ttlMs - (this.#clock.monotonicMs() - sentMs)) }
  }

  #inspect(lock: string, signal: AbortSignal): Promise<Inspection> {
    return this.#scripts.inspect(lock, signal).catch((error: unknown) => {
      if (error instanceof IngotError && error.code === 'REDIS_KEY_FOREIGN') return unavailableKey(this.#foreign(lock))
      throw error
    })
  }

  #foreign(name: string): IngotError {
    const why = `another program stored another type of value under "${name}"`
    return new IngotError('REDIS_KEY_FOREIGN', `${this.#connection.description}: ${why}`)
  }

  #batcher<Q extends LeaseCommand, A>(run: BatchOptions<Q, A | Unavailable>['run']): Batcher<Q, A | Unavailable> {
    return createBatcher<Q, A | Unavailable>({
      run,
      groupOf: ({ names }) => (this.#connection.clustered ? names.tag : 0),
      signalOf: ({ signal }) => signal,
      aborted,
      failed: (error) => unavailable(this.#connection.description, error),
      withheld: (error) => error instanceof Unsent,
      max: MAX_BATCH,
    })
  }

  /** Handles a message "token lock": the key was reserved for that token of this client. */
  #wake(payload: string): void {
    const space = payload.indexOf(' ')
    const token = payload.slice(0, space)
    const key = this.#names.keyOf(payload.slice(space + 1))
    if (key === undefined) return
    const names = this.#names.of(key)
    const passOn = (): void => {
      const signal = new AbortController().signal
      // if this fails too, the key stays reserved until KEEP_MS has passed
      void this.#releases.submit({ token, names, signal, onlyIfKept: true })
    }
    this.#waitEntries.wake(token, passOn)
  }
}

/** Creates a lock with a fence store: fences rise across restarts, failovers and data loss. Throws `CONFIG_INVALID`. */
export function createRedisLock(
  url: string,
  deps: RedisLockDeps & { readonly fences: FenceStore },
  options?: RedisLockOptions,
): RedisLock<'always'>
/** Creates a lock without one: fences rise as long as the server keeps its data. Throws `CONFIG_INVALID`. */
export function createRedisLock(
  url: string,
  deps: RedisLockDeps & { readonly fences?: never },
  options?: RedisLockOptions,
): RedisLock<'within-epoch'>
export function createRedisLock(
  url: string,
  deps: RedisLockDeps & { readonly fences?: FenceStore },
  options: RedisLockOptions = {},
): RedisLock<'always'> | RedisLock<'within-epoch'> {
  return deps.fences === undefined
    ? new RedisBackend(url, deps, options, 'within-epoch')
    : new RedisBackend(url, deps, options, 'always')
}
