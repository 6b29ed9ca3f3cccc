/**
 * Leader election by a Lease (`coordination.k8s.io/v1`). Another process takes the Lease only after it has seen no renewal
 * for the Lease's whole duration, and the leader stops earlier: its signal aborts a fixed time after it *sent* its last
 * successful renewal. Both measure by their monotonic clocks, so neither depends on equal wall clocks.
 */
import { IngotError, reasonOf, toIngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { createDeadline } from '../../std/deadline.ts'
import type { Log } from '../../telemetry/log.ts'
import { isKubeError, type KubeApi } from '../client/api.ts'
import type { KubeObject, Resource } from '../client/resource.ts'
import { microTimeOf } from './conditions.ts'
import type { RuntimeMeasures } from './measures.ts'

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

export interface ElectionOptions {
  readonly api: KubeApi
  readonly namespace: string
  readonly name: string
  /** Unique for this process: the Lease of an earlier process of the same pod is not its own. */
  readonly identity: string
  /** Works as the leader until the term's signal aborts. */
  readonly lead: (term: LeadershipTerm) => Promise<void>
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly measures: RuntimeMeasures
  readonly times?: ElectionTimes
}

interface LeaseSpec {
  readonly holderIdentity?: string | null
  readonly leaseDurationSeconds?: number
  readonly leaseTransitions?: number
  readonly acquireTime?: string
  readonly renewTime?: string
}

type Lease = KubeObject & { readonly spec?: LeaseSpec }

/** A Lease of another process, and since when it has not changed. */
interface Sighting {
  readonly version: string | undefined
  readonly sinceMs: number
}

/**
 * Leads whenever the Lease can be had, until the signal aborts. Then waits for `lead` to end, releases the Lease and
 * resolves. Rejects with what `lead` rejects with, after the release.
 */
export async function runElection(options: ElectionOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log, times = ELECTION_TIMES } = options
  let seen: Sighting | undefined
  let failures = 0
  const attempted = async (): Promise<Attempt | undefined> => {
    try {
      const attempt = await tryAcquire(options, seen, signal)
      failures = 0
      return attempt
    } catch (cause) {
      if (signal.aborted) return undefined
      const { code, message } = toIngotError(cause)
      // one line at the first failure, the second, the fourth …
      if (Number.isInteger(Math.log2(++failures)))
        log.warn({ code, reason: message, failures }, 'the Lease cannot be taken')
      return undefined
    }
  }

  while (!signal.aborted) {
    const sentMs = clock.monotonicMs()
    const attempt = await attempted()
    if (attempt?.kind === 'acquired') await serve(options, attempt.lease, sentMs, signal)
    seen = attempt?.kind === 'held' ? attempt.seen : undefined
    // jitter, so that candidates do not collide at each expiry
    await clock.sleep(times.periodMs * (1 + 0.2 * random()), signal).catch(() => undefined)
  }
}

type Attempt = { readonly kind: 'acquired'; readonly lease: Lease } | { readonly kind: 'held'; readonly seen: Sighting }

async function tryAcquire(
  { api, namespace, name, identity, clock, times = ELECTION_TIMES }: ElectionOptions,
  seen: Sighting | undefined,
  signal: AbortSignal,
): Promise<Attempt> {
  const current: Lease | undefined = await api.get(LEASES, { namespace, name }, signal)
  const now = microTimeOf(clock.wallMs())
  const spec = (transitions: number): LeaseSpec => ({
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(times.leaseMs / 1_000),
    leaseTransitions: transitions,
    acquireTime: now,
    renewTime: now,
  })
  if (current === undefined) {
    return {
      kind: 'acquired',
      lease: await api.create(LEASES, { metadata: { namespace, name }, spec: spec(1) }, signal),
    }
  }
  const { holderIdentity, leaseTransitions = 0, leaseDurationSeconds } = current.spec ?? {}
  const version = current.metadata.resourceVersion
  const isFree = holderIdentity === undefined || holderIdentity === null || holderIdentity === ''
  if (!isFree) {
    const since = seen?.version === version && seen !== undefined ? seen : { version, sinceMs: clock.monotonicMs() }
    // the holder's own duration: another version of ingot may have another one
    const restMs = Math.max(times.leaseMs, (leaseDurationSeconds ?? 0) * 1_000)
    if (clock.monotonicMs() - since.sinceMs < restMs) return { kind: 'held', seen: since }
  }
  try {
    return {
      kind: 'acquired',
      lease: await api.replace(LEASES, { ...current, spec: spec(leaseTransitions + 1) }, signal),
    }
  } catch (cause) {
    // another candidate was faster
    if (isKubeError(cause, 'KUBE_CONFLICT'))
      return { kind: 'held', seen: { version: undefined, sinceMs: clock.monotonicMs() } }
    throw cause
  }
}

/** Leads with an acquired Lease until it is lost or the signal aborts. */
async function serve(options: ElectionOptions, acquired: Lease, sentMs: number, signal: AbortSignal): Promise<void> {
  const { clock, log, measures, identity, lead } = options
  const term = createTerm(options, acquired, sentMs, signal)
  log.info({ identity, term: term.number }, 'this process leads')
  measures.leading(true)
  const renewing = term.renew()
  try {
    await lead(term)
  } catch (failure) {
    if (!term.signal.aborted) throw failure
  } finally {
    measures.leading(false)
    term.end()
    await renewing
    if (term.isHeld())
      await release(options, term.lease()).catch((cause) =>
        log.debug({ reason: reasonOf(cause) }, 'the Lease was not released'),
      )
    log.info({ identity, term: term.number, wallMs: clock.wallMs() }, 'this process no longer leads')
  }
}

interface RunningTerm extends LeadershipTerm {
  /** Renews until the term ends. Never rejects. */
  renew(): Promise<void>
  end(): void
  /** Returns true unless another process was seen to hold the Lease, or the deadline has passed. */
  isHeld(): boolean
  lease(): Lease
}

function createTerm(options: ElectionOptions, acquired: Lease, sentMs: number, parent: AbortSignal): RunningTerm {
  const { api, clock, log, times = ELECTION_TIMES, identity } = options
  let lease = acquired
  let number = acquired.spec?.leaseTransitions ?? 1
  let isHeld = true
  const ended = new AbortController()
  const lost = (why: string): void => {
    if (ended.signal.aborted) return
    isHeld = false
    log.warn({ identity, reason: why }, 'leadership was lost')
    ended.abort(new Error(`leadership was lost: ${why}`))
  }
  const expire = () => lost(`no renewal succeeded within ${times.deadlineMs} ms`)
  let expiry = clock.timer(Math.max(0, sentMs + times.deadlineMs - clock.monotonicMs()), expire)
  let renewedMs = sentMs
  const follow = (): void => ended.abort(parent.reason)
  parent.addEventListener('abort', follow, { once: true })
  if (parent.aborted) follow()

  async function write(transitions: number): Promise<void> {
    const beganMs = clock.monotonicMs()
    const remainingMs = renewedMs + times.deadlineMs - beganMs
    using deadline = createDeadline({
      clock,
      ms: Math.max(1, remainingMs),
      parent: ended.signal,
      timeoutError: () => new IngotError('KUBE_UNREACHABLE', 'the Lease was not renewed in time'),
    })
    const spec = { ...lease.spec, leaseTransitions: transitions, renewTime: microTimeOf(clock.wallMs()) }
    lease = await api.replace(LEASES, { ...lease, spec }, deadline.signal)
    number = transitions
    renewedMs = beganMs
    expiry.cancel()
    // a process that was stopped meanwhile finds its deadline passed here
    const leftMs = renewedMs + times.deadlineMs - clock.monotonicMs()
    if (leftMs <= 0) expire()
    else expiry = clock.timer(leftMs, expire)
  }

  /** One writer at a time: each write names the version of the one before. */
  let writing: Promise<void> = Promise.resolve()
  const inTurn = (transitions: () => number): Promise<void> => {
    const turn = writing.then(() => write(transitions()))
    writing = turn.catch(() => undefined)
    return turn
  }

  async function afterFailure(cause: unknown): Promise<void> {
    if (!isKubeError(cause, 'KUBE_CONFLICT') && !isKubeError(cause, 'KUBE_NOT_FOUND')) return
    const current: Lease | undefined = await api
      .get(LEASES, { namespace: options.namespace, name: options.name }, ended.signal)
      .catch(() => lease)
    if (current?.spec?.holderIdentity === identity) lease = current
    else
      lost(
        current === undefined ? 'the Lease was deleted' : `${current.spec?.holderIdentity ?? 'nobody'} holds the Lease`,
      )
  }

  return {
    get number() {
      return number
    },
    signal: ended.signal,
    assertHeld() {
      if (clock.monotonicMs() >= renewedMs + times.deadlineMs) expire()
      ended.signal.throwIfAborted()
    },
    raiseAbove: (other) => inTurn(() => Math.max(number, other) + 1),
    async renew() {
      while (!ended.signal.aborted) {
        await clock.sleep(times.periodMs, ended.signal).catch(() => undefined)
        if (ended.signal.aborted) break
        await inTurn(() => number).catch(afterFailure)
      }
      expiry.cancel()
      parent.removeEventListener('abort', follow)
      await writing
    },
    end: () => ended.abort(new Error('the term ended')),
    isHeld: () => isHeld && clock.monotonicMs() < renewedMs + times.deadlineMs,
    lease: () => lease,
  }
}

/** Lets the next process take the Lease at once. The number of terms stays. */
async function release({ api, clock }: ElectionOptions, lease: Lease): Promise<void> {
  const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTimeOf(clock.wallMs()) }
  await api.replace(LEASES, { ...lease, spec }, AbortSignal.timeout(3_000))
}
