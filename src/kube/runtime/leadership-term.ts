/** A term of leadership: renewals, the deadline, and how it ends. */
import { IngotError } from '../../errors/error.ts'
import type { Clock, Timer } from '../../std/clock.ts'
import { createDeadline } from '../../std/deadline.ts'
import type { Log } from '../../telemetry/log.ts'
import { isKubeError, type KubeApi } from '../client/api.ts'
import type { KubeObject, Resource } from '../client/resource.ts'
import { microTimeOf } from './conditions.ts'

export const LEASES: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
}

export interface LeadershipTerm {
  /** `leaseTransitions` of the Lease. Each acquisition raises it, so it is a fence. */
  readonly number: number
  /** Aborts when leadership ends: before another process can have it. */
  readonly signal: AbortSignal
  /** Throws when leadership has ended, also in a process that was stopped and has not yet run its timers. */
  assertHeld(): void
  /** Raises the number above another one that was seen. Rejects when leadership was lost. */
  raiseAbove(number: number): Promise<void>
}

export interface ElectionTimes {
  /** A Lease that is not renewed for so long may be taken. Default: 15000. */
  readonly leaseMs: number
  /** The leader stops so long after its last renewal. Below `leaseMs`. Default: 10000. */
  readonly deadlineMs: number
  /** Between renewals, and between looks at the Lease of another process. Default: 2000. */
  readonly periodMs: number
}

export const ELECTION_TIMES: ElectionTimes = { leaseMs: 15_000, deadlineMs: 10_000, periodMs: 2_000 }

export interface LeaseSpec {
  readonly holderIdentity?: string | null
  readonly leaseDurationSeconds?: number
  readonly leaseTransitions?: number
  readonly acquireTime?: string
  readonly renewTime?: string
}

export type Lease = KubeObject & { readonly spec?: LeaseSpec }

export interface TermOptions {
  readonly api: KubeApi
  readonly namespace: string
  readonly name: string
  /** Unique for this process: the Lease of an earlier process of the same pod is not its own. */
  readonly identity: string
  readonly clock: Clock
  readonly log: Log
  readonly times?: ElectionTimes
}

export class Term implements LeadershipTerm {
  readonly #options: TermOptions
  readonly #times: ElectionTimes
  readonly #ended = new AbortController()
  #lease: Lease
  #number: number
  #isHeld = true
  #renewedMs: number
  #expiry: Timer | undefined
  /** One writer at a time: each write names the version of the one before. */
  #writing: Promise<void> = Promise.resolve()

  constructor(options: TermOptions, acquired: Lease, sentMs: number) {
    this.#options = options
    this.#times = options.times ?? ELECTION_TIMES
    this.#lease = acquired
    this.#number = acquired.spec?.leaseTransitions ?? 1
    this.#renewedMs = sentMs
    this.#armExpiry()
  }

  get number(): number {
    return this.#number
  }

  get signal(): AbortSignal {
    return this.#ended.signal
  }

  get lease(): Lease {
    return this.#lease
  }

  assertHeld(): void {
    if (this.#leftMs() <= 0) this.#expire()
    this.signal.throwIfAborted()
  }

  raiseAbove(other: number): Promise<void> {
    return this.#inTurn(() => Math.max(this.#number, other) + 1)
  }

  /** Returns true unless another process was seen to hold the Lease, or the deadline has passed. */
  isHeld(): boolean {
    return this.#isHeld && this.#leftMs() > 0
  }

  end(reason: unknown): void {
    this.#ended.abort(reason)
  }

  /** Renews until the term ends. Never rejects. */
  async renew(): Promise<void> {
    const { clock } = this.#options
    while (!this.signal.aborted) {
      await clock.sleep(this.#times.periodMs, this.signal).catch(() => undefined)
      if (!this.signal.aborted) await this.#inTurn(() => this.#number).catch((cause: unknown) => this.#failed(cause))
    }
    this.#expiry?.cancel()
    await this.#writing
  }

  #inTurn(transitions: () => number): Promise<void> {
    const turn = this.#writing.then(() => this.#write(transitions()))
    this.#writing = turn.catch(() => undefined)
    return turn
  }

  async #write(transitions: number): Promise<void> {
    const { api, clock } = this.#options
    const beganMs = clock.monotonicMs()
    using deadline = createDeadline({
      clock,
      ms: Math.max(1, this.#leftMs()),
      parent: this.signal,
      timeoutError: () => new IngotError('KUBE_UNREACHABLE', 'the Lease was not renewed in time'),
    })
    const spec = { ...this.#lease.spec, leaseTransitions: transitions, renewTime: microTimeOf(clock.wallMs()) }
    this.#lease = await api.replace(LEASES, { ...this.#lease, spec }, deadline.signal)
    this.#number = transitions
    this.#renewedMs = beganMs
    this.#armExpiry()
  }

  async #failed(cause: unknown): Promise<void> {
    if (!isKubeError(cause, 'KUBE_CONFLICT') && !isKubeError(cause, 'KUBE_NOT_FOUND')) return
    const { api, namespace, name, identity } = this.#options
    const current: Lease | undefined = await api.get(LEASES, { namespace, name }, this.signal).catch(() => this.#lease)
    if (current === undefined) this.#lost('the Lease was deleted')
    else if (current.spec?.holderIdentity === identity) this.#lease = current
    else this.#lost(`the Lease names another holder: ${current.spec?.holderIdentity ?? 'none'}`)
  }

  #leftMs(): number {
    return this.#renewedMs + this.#times.deadlineMs - this.#options.clock.monotonicMs()
  }

  /** A process that was stopped past its deadline finds this out here, or in `assertHeld`. */
  #armExpiry(): void {
    this.#expiry?.cancel()
    const leftMs = this.#leftMs()
    if (leftMs <= 0) this.#expire()
    else this.#expiry = this.#options.clock.timer(leftMs, () => this.#expire())
  }

  #expire(): void {
    this.#lost(`no renewal succeeded within ${this.#times.deadlineMs} ms`)
  }

  #lost(why: string): void {
    if (this.signal.aborted) return
    this.#isHeld = false
    this.#options.log.warn({ identity: this.#options.identity, reason: why }, 'leadership was lost')
    this.end(new Error(`leadership was lost: ${why}`))
  }
}
