/**
 * Locks by a majority of independent Redis servers, which do not know each other. It works while a majority of them
 * responds, and no failover can lose a lock. A node that may have restarted without its data has no vote until the
 * longest lease that it may have lost has ended (`eligibility.ts`).
 *
 * Independent nodes have no common counter. With a fence store, each grant takes a number from it, after the votes and
 * within the lease, so that the numbers have the order of the grants. Without a fence store there are no fences, and
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
import { type VoteKind, type VoteRequest, type Votes, vote } from './ballot.ts'
import { type ContentionGate, createContentionGate } from './contention-gate.ts'
import { maxLeaseOf, readLease, validMs } from './lease.ts'
import { connectNodes, type Nodes } from './nodes.ts'
import type { RedlockDeps } from './options.ts'

export type { RedlockDeps } from './options.ts'

const INSPECT = loadScript('inspect', import.meta.url).text
/** Differs from the names of the `redis` backend, because a server may serve both. */
const PREFIX = 'ingot:redlock:'

/** The source of fences: numbers of a fence store, or none. */
interface FenceSource<F extends Fencing> {
  readonly fencing: F
  next(key: Key, signal: AbortSignal): Promise<FenceOf<F>>
}

/** A lease that this process won. */
interface WonLease<F extends Fencing> {
  readonly fence: FenceOf<F>
  /** Monotonic milliseconds until which the lease is certainly valid. */
  endsMs: number
}

interface Parts {
  readonly nodes: Nodes
  /** Describes the nodes in messages. */
  readonly description: string
  readonly clock: Clock
  readonly maxLeaseMs: number
}

class RedlockBackend<F extends Fencing> implements LockBackend<F> {
  readonly name = 'redlock'
  readonly capabilities: Capabilities<F> & { readonly maxTtlMs: number }
  readonly #nodes: Nodes
  readonly #description: string
  readonly #clock: Clock
  readonly #fences: FenceSource<F>
  readonly #contentionGate: ContentionGate
  readonly #won = new Map<Token, WonLease<F>>()

  constructor({ nodes, description, clock, maxLeaseMs }: Parts, fences: FenceSource<F>) {
    this.capabilities = { fencing: fences.fencing, maxTtlMs: maxLeaseMs }
    this.#nodes = nodes
    this.#description = description
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

  /** The locker checks this already. This check is for direct users of the backend. */
  #checkLease({ ttlMs }: LeaseRequest): void {
    const { maxTtlMs } = this.capabilities
    if (ttlMs > maxTtlMs) throw leaseTooLong('the lease', ttlMs, maxTtlMs)
  }

  /** Returns an outage, without sending anything, while too few votes would count. */
  #tooFewCount(): Unavailable | undefined {
    const doubts = this.#nodes.members.flatMap((node) => (node.eligibleInMs() === 0 ? [] : [node.ineligibility()]))
    const counted = this.#nodes.members.length - doubts.length
    if (counted >= this.#quorum) return undefined
    return this.#outage('too few votes count', doubts)
  }

  #voteRequest({ key, token }: Lease, ttlMs: number, signal: AbortSignal): VoteRequest {
    return { key: PREFIX + key, token, ttlMs: Math.ceil(ttlMs), signal }
  }

  #vote(kind: VoteKind, lease: Lease, ttlMs: number, signal: AbortSignal): Promise<Votes> {
    return vote(this.#nodes.members, kind, this.#voteRequest(lease, ttlMs, signal))
  }

  async #attempt(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<F>> {
    const sentMs = this.#clock.monotonicMs()
    const voteRequest = this.#voteRequest(request, request.ttlMs, signal)
    const tooFew = this.#tooFewCount()
    if (tooFew !== undefined) return tooFew
    const leftMs = await this.#contentionGate.check(voteRequest)
    if (leftMs !== undefined) return this.#refused(voteRequest, leftMs)
    const votes = await vote(this.#nodes.members, 'acquire', voteRequest)
    if (!votes.elected) return this.#notElected(voteRequest, votes)
    const endsMs = sentMs + validMs(request.ttlMs)
    const fence = await this.#fenceOf(request, sentMs, signal)
    // a number that arrived after the lease's end could be greater than the next holder's
    if (fence.kind === 'fence' && this.#clock.monotonicMs() < endsMs) {
      this.#remember(request.token, { fence: fence.value, endsMs })
      return { kind: 'granted', fence: fence.value, ttlMs: validMs(request.ttlMs) }
    }
    await this.#giveUp(request)
    return fence.kind === 'fence' ? unavailable(`${this.#description}: the votes arrived too late`) : fence
  }

  /** Returns the outcome of a failed vote. The package has released the votes of a minority on all nodes. */
  #notElected(voteRequest: VoteRequest, { yes, no, uncounted }: Votes): Attempt<F> {
    if (yes + no.length < this.#quorum) return this.#outage('too few nodes voted', uncounted)
    if (no.length === 0) return unavailable(`${this.#description}: the votes arrived too late`)
    // the key can be won after enough of the refusing leases have ended for a majority
    const missing = this.#quorum - yes
    return this.#refused(voteRequest, no.toSorted((a, b) => a - b)[Math.min(missing, no.length) - 1])
  }

  #refused(voteRequest: VoteRequest, remainingMs: number | undefined): Attempt<F> {
    this.#contentionGate.refused(voteRequest.key)
    return { kind: 'held', remainingMs }
  }

  #outage(what: string, uncounted: readonly unknown[]): Unavailable {
    const total = this.#nodes.members.length
    const reasons = uncounted.map(reasonOf).join('; ')
    return unavailable(
      `${this.#description}: ${what}; ${uncounted.length} of ${total} gave none that counts: ${reasons}`,
      {
        errors: uncounted,
      },
    )
  }

  /** Returns the same number for a repeated token, unless its lease may have ended in between. */
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
      return unavailable('the fence store did not return a number', cause)
    }
  }

  #remember(token: Token, won: WonLease<F>): void {
    const now = this.#clock.monotonicMs()
    for (const [other, { endsMs }] of this.#won) {
      if (endsMs > now) break
      this.#won.delete(other)
    }
    this.#won.delete(token)
    this.#won.set(token, won)
  }

  /** Releases votes that are no longer needed. Votes that cannot be released expire. */
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
    if (votes.yes + votes.uncounted.length >= this.#quorum)
      return this.#outage('too few nodes renewed', votes.uncounted)
    // nodes without a lease keep the key for this token since this call; that must not outlive it
    await this.#giveUp(request)
    return { kind: 'lost' }
  }

  async #release(lease: Lease, signal: AbortSignal): Promise<Release> {
    this.#won.delete(lease.token)
    const votes = await this.#vote('release', lease, 0, signal)
    if (votes.elected) return { kind: 'released' }
    const open = votes.yes + votes.uncounted.length >= this.#quorum
    return open ? this.#outage('too few nodes released', votes.uncounted) : { kind: 'lost' }
  }

  async #inspect(key: Key): Promise<Inspection> {
    const asked = this.#nodes.members.map(async (node) => {
      // a node that may have lost leases can report a lease, but not that there is none
      const doubt = node.eligibleInMs() === 0 ? undefined : node.ineligibility()
      const leases = readLease(await node.client.eval(INSPECT, 1, PREFIX + key))
      if (doubt !== undefined && leases.length === 0) throw doubt
      return leases
    })
    const replies = await Promise.allSettled(asked)
    const known = replies.flatMap((a) => (a.status === 'fulfilled' ? [a.value] : []))
    const uncounted = replies.flatMap((a): unknown[] => (a.status === 'rejected' ? [a.reason] : []))
    if (known.length < this.#quorum) return this.#outage('too few nodes responded', uncounted)
    return this.#held(known.flat())
  }

  /** Returns the holder that a majority of nodes reports. */
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
 * Connects to at least a majority of the nodes. If none of them keeps its votes over a restart, attempts fail with
 * `LOCK_BACKEND_UNAVAILABLE` until a majority has run for `maxLeaseMs`. With a fence store, its fences are `always`.
 * Without one, it has none.
 *
 * Rejects with `REDIS_UNREACHABLE` if there is no majority; with `REDIS_ACCESS_REFUSED`, `REDIS_TLS_FAILED` or
 * `REDIS_UNSUITABLE` if any node reports it, also if two addresses are one server; with `CONFIG_INVALID` or
 * `LOCK_OPTION_INVALID`; or with the signal's reason.
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
  const parts = { nodes, description: describeTopology(topology), clock, maxLeaseMs }
  if (fences === undefined) return new RedlockBackend(parts, NO_FENCES)
  const source: FenceSource<'always'> = { fencing: 'always', next: (key, abort) => fences.nextFence(key, abort) }
  return new RedlockBackend(parts, source)
}
