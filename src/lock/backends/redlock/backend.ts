/**
 * Locks by a majority of independent Redis servers, none of which knows of the others. It goes on while fewer than half
 * of them are gone, and no failover can forget a lock. A node that may have restarted without its data has no vote until
 * the longest lease that it can have forgotten has ended (`standing.ts`).
 *
 * Independent nodes have no common counter. With a fence store each grant takes a number from it, after the votes and
 * within the lease, so that the order of the numbers is the order of the grants; without one there are no fences, and
 * the lock only saves work.
 */

import { IngotError, reasonOf } from '../../../errors/error.ts'
import { describeTopology, type Independent, parseRedisUrl } from '../../../redis/redis-url.ts'
import { loadScript } from '../../../redis/script.ts'
import type { Clock } from '../../../std/clock.ts'
import { silentLog } from '../../../telemetry/log.ts'
import type { Capabilities, Lease, LeaseRequest, LockBackend } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import type { Attempt, Extension, FenceOf, Fencing, Inspection, Key, Release, Token, Unavailable } from '../../lock.ts'
import { orAborted, unavailable } from '../../outage.ts'
import { leaseTooLong } from '../../policy.ts'
import { type Motion, type Question, type Votes, vote } from './ballot.ts'
import { type ContentionGate, createContentionGate } from './contention-gate.ts'
import { maxLeaseOf, readLease, validMs } from './lease.ts'
import { connectNodes, type Nodes } from './nodes.ts'
import type { RedlockDeps } from './options.ts'

export type { RedlockDeps } from './options.ts'

const INSPECT = loadScript('inspect', import.meta.url).text
/** Not the names of the `redis` backend: servers may serve both. */
const PREFIX = 'ingot:redlock:'

/** Numbers for grants: real ones, or none. */
interface FenceSource<F extends Fencing> {
  readonly fencing: F
  next(key: Key, signal: AbortSignal): Promise<FenceOf<F>>
}

/** What this process knows of a lease that it won. */
interface Won<F extends Fencing> {
  readonly fence: FenceOf<F>
  /** Monotonic milliseconds until which it certainly runs. */
  endsMs: number
}

interface Parts {
  readonly nodes: Nodes
  /** The nodes, for messages. */
  readonly whom: string
  readonly clock: Clock
  readonly maxLeaseMs: number
}

class RedlockBackend<F extends Fencing> implements LockBackend<F> {
  readonly name = 'redlock'
  readonly capabilities: Capabilities<F> & { readonly maxTtlMs: number }
  readonly #nodes: Nodes
  readonly #whom: string
  readonly #clock: Clock
  readonly #fences: FenceSource<F>
  readonly #contentionGate: ContentionGate
  readonly #won = new Map<Token, Won<F>>()

  constructor({ nodes, whom, clock, maxLeaseMs }: Parts, fences: FenceSource<F>) {
    this.capabilities = { fencing: fences.fencing, maxTtlMs: maxLeaseMs }
    this.#nodes = nodes
    this.#whom = whom
    this.#clock = clock
    this.#fences = fences
    this.#contentionGate = createContentionGate(nodes.members, clock)
  }

  async tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<F>> {
    this.#checkLease(request)
    return orAborted(this.#attempt(request, signal), signal)
  }

  async extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    this.#checkLease(request)
    return orAborted(this.#extend(request, signal), signal)
  }

  release(lease: Lease, signal: AbortSignal): Promise<Release> {
    return orAborted(this.#release(lease, signal), signal)
  }

  inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    return orAborted(this.#inspect(key), signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nodes[Symbol.asyncDispose]()
  }

  get #quorum(): number {
    return Math.floor(this.#nodes.members.length / 2) + 1
  }

  /** The locker refuses it before; this is for those who use the backend without one. */
  #checkLease({ ttlMs }: LeaseRequest): void {
    const { maxTtlMs } = this.capabilities
    if (ttlMs > maxTtlMs) throw leaseTooLong('the lease', ttlMs, maxTtlMs)
  }

  /** Nothing needs to be asked while too few votes would count. */
  #tooFewCount(): Unavailable | undefined {
    const doubts = this.#nodes.members.flatMap((node) => (node.countsInMs() === 0 ? [] : [node.doubt()]))
    const counted = this.#nodes.members.length - doubts.length
    if (counted >= this.#quorum) return undefined
    return this.#outage('too few votes count', doubts)
  }

  #question({ key, token }: Lease, ttlMs: number, signal: AbortSignal): Question {
    return { key: PREFIX + key, token, ttlMs: Math.ceil(ttlMs), signal }
  }

  #vote(motion: Motion, lease: Lease, ttlMs: number, signal: AbortSignal): Promise<Votes> {
    return vote(this.#nodes.members, motion, this.#question(lease, ttlMs, signal))
  }

  async #attempt(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<F>> {
    const sentMs = this.#clock.monotonicMs()
    const question = this.#question(request, request.ttlMs, signal)
    const tooFew = this.#tooFewCount()
    if (tooFew !== undefined) return tooFew
    const leftMs = await this.#contentionGate.stepBack(question)
    if (leftMs !== undefined) return this.#refused(question, leftMs)
    const votes = await vote(this.#nodes.members, 'acquire', question)
    if (!votes.elected) return this.#notElected(question, votes)
    const endsMs = sentMs + validMs(request.ttlMs)
    const fence = await this.#fenceOf(request, sentMs, signal)
    // a number that came after the lease's end could be greater than the next holder's
    if (fence.kind === 'fence' && this.#clock.monotonicMs() < endsMs) {
      this.#remember(request.token, { fence: fence.value, endsMs })
      return { kind: 'granted', fence: fence.value, ttlMs: validMs(request.ttlMs) }
    }
    await this.#giveUp(request)
    return fence.kind === 'fence' ? unavailable(`${this.#whom}: the votes came too late`) : fence
  }

  /** The package has released the votes of a minority, on all nodes. */
  #notElected(question: Question, { yes, no, silent }: Votes): Attempt<F> {
    if (yes + no.length < this.#quorum) return this.#outage('too few nodes voted', silent)
    if (no.length === 0) return unavailable(`${this.#whom}: the votes came too late`)
    // the key can be won when so many of the refusals have run out that a majority is left
    const missing = this.#quorum - yes
    return this.#refused(question, no.toSorted((a, b) => a - b)[Math.min(missing, no.length) - 1])
  }

  #refused(question: Question, remainingMs: number | undefined): Attempt<F> {
    this.#contentionGate.refused(question.key)
    return { kind: 'held', remainingMs }
  }

  #outage(what: string, silent: readonly unknown[]): Unavailable {
    const total = this.#nodes.members.length
    const reasons = silent.map(reasonOf).join('; ')
    return unavailable(`${this.#whom}: ${what}; ${silent.length} of ${total} gave none that counts: ${reasons}`, {
      errors: silent,
    })
  }

  /** The same number for a repeated token, unless its lease may have ended in between. */
  async #fenceOf(
    { key, token }: Lease,
    sentMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'fence'; readonly value: FenceOf<F> } | Unavailable> {
    const won = this.#won.get(token)
    if (won !== undefined && won.endsMs > sentMs) return { kind: 'fence', value: won.fence }
    try {
      return { kind: 'fence', value: await this.#fences.next(key, signal) }
    } catch (cause) {
      return unavailable('the fence store did not give a number', cause)
    }
  }

  #remember(token: Token, won: Won<F>): void {
    const now = this.#clock.monotonicMs()
    for (const [other, { endsMs }] of this.#won) {
      if (endsMs > now) break
      this.#won.delete(other)
    }
    this.#won.delete(token)
    this.#won.set(token, won)
  }

  /** Votes that are of no use any more; those that cannot be given back end by themselves. */
  async #giveUp(lease: Lease): Promise<void> {
    this.#won.delete(lease.token)
    await this.#vote('release', lease, 0, new AbortController().signal)
  }

  async #extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    const sentMs = this.#clock.monotonicMs()
    const votes = await this.#vote('extend', request, request.ttlMs, signal)
    const endsMs = sentMs + validMs(request.ttlMs)
    if (votes.elected && this.#clock.monotonicMs() < endsMs) {
      const won = this.#won.get(request.token)
      if (won !== undefined) this.#remember(request.token, { fence: won.fence, endsMs })
      return { kind: 'extended', ttlMs: validMs(request.ttlMs) }
    }
    if (votes.yes + votes.silent.length >= this.#quorum) return this.#outage('too few nodes renewed', votes.silent)
    // what the nodes without a lease keep for us since this call must not outlive it
    await this.#giveUp(request)
    return { kind: 'lost' }
  }

  async #release(lease: Lease, signal: AbortSignal): Promise<Release> {
    this.#won.delete(lease.token)
    const votes = await this.#vote('release', lease, 0, signal)
    if (votes.elected) return { kind: 'released' }
    const open = votes.yes + votes.silent.length >= this.#quorum
    return open ? this.#outage('too few nodes released', votes.silent) : { kind: 'lost' }
  }

  async #inspect(key: Key): Promise<Inspection> {
    const asked = this.#nodes.members.map(async (node) => {
      // a node that may have forgotten a lease can still name one, but not say that there is none
      const doubt = node.countsInMs() === 0 ? undefined : node.doubt()
      const leases = readLease(await node.client.eval(INSPECT, 1, PREFIX + key))
      if (doubt !== undefined && leases.length === 0) throw doubt
      return leases
    })
    const answers = await Promise.allSettled(asked)
    const known = answers.flatMap((a) => (a.status === 'fulfilled' ? [a.value] : []))
    const silent = answers.flatMap((a): unknown[] => (a.status === 'rejected' ? [a.reason] : []))
    if (known.length < this.#quorum) return this.#outage('too few nodes answered', silent)
    return this.#held(known.flat())
  }

  /** Held by whom a majority names. */
  #held(leases: readonly (readonly [Token, number])[]): Inspection {
    for (const [token] of leases) {
      const left = leases.filter(([t]) => t === token).map(([, ms]) => ms)
      if (left.length < this.#quorum) continue
      const remainingMs = left.toSorted((a, b) => b - a)[this.#quorum - 1]
      return { kind: 'held', remainingMs, fence: this.#won.get(token)?.fence }
    }
    return { kind: 'free' }
  }
}

const NO_FENCES: FenceSource<'none'> = { fencing: 'none', next: async () => undefined }

function independent(url: string): Independent {
  const topology = parseRedisUrl(url)
  if (topology.kind === 'independent') return topology
  throw new IngotError('CONFIG_INVALID', 'expected a redlock:// URL that names the independent servers')
}

/**
 * Connects to a majority of the nodes at least. Where none of them keeps its votes over a restart, attempts fail with
 * `LOCK_BACKEND_UNAVAILABLE` until a majority has run for `maxLeaseMs`. Rejects with `REDIS_UNREACHABLE` when it cannot, with
 * `REDIS_ACCESS_REFUSED`, `REDIS_TLS_FAILED` or `REDIS_UNSUITABLE` when any node says so (also when two addresses are
 * one server), with `CONFIG_INVALID`, `LOCK_OPTION_INVALID`, or with the signal's reason. With a fence store its fences are `always`, without one it has none.
 */
export async function connectRedlock(
  url: string,
  deps: RedlockDeps & { readonly fences: FenceStore },
  signal: AbortSignal,
): Promise<LockBackend<'always'>>
export async function connectRedlock(
  url: string,
  deps: RedlockDeps & { readonly fences?: never },
  signal: AbortSignal,
): Promise<LockBackend<'none'>>
export async function connectRedlock(
  url: string,
  deps: RedlockDeps & { readonly fences?: FenceStore },
  signal: AbortSignal,
): Promise<LockBackend<'always'> | LockBackend<'none'>> {
  const topology = independent(url)
  const { clock, fences, log = silentLog } = deps
  const maxLeaseMs = maxLeaseOf(deps.maxLeaseMs, topology.maxLeaseMs)
  const nodes = await connectNodes(topology, { clock, log, maxLeaseMs }, signal)
  const parts = { nodes, whom: describeTopology(topology), clock, maxLeaseMs }
  if (fences === undefined) return new RedlockBackend(parts, NO_FENCES)
  const source: FenceSource<'always'> = { fencing: 'always', next: (key, abort) => fences.nextFence(key, abort) }
  return new RedlockBackend(parts, source)
}
