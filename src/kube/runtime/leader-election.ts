/**
 * Leader election by a Lease (`coordination.k8s.io/v1`). Another process takes the Lease only after it has seen no renewal
 * for the Lease's whole duration, and the leader stops earlier: its signal aborts a fixed time after it *sent* its last
 * successful renewal. Both measure by their monotonic clocks, so neither depends on equal wall clocks.
 */
import { reasonOf, toIngotError } from '../../errors/error.ts'
import { isKubeError } from '../client/api.ts'
import { microTimeOf } from './conditions.ts'
import {
  ELECTION_TIMES,
  LEASES,
  type LeadershipTerm,
  type Lease,
  type LeaseSpec,
  Term,
  type TermOptions,
} from './leadership-term.ts'
import type { RuntimeMeasures } from './measures.ts'
import { isLogged } from './repeats.ts'

export interface ElectionOptions extends TermOptions {
  /** Works as the leader until the term's signal aborts. */
  readonly lead: (term: LeadershipTerm) => Promise<void>
  readonly random: () => number
  readonly measures: RuntimeMeasures
}

/** Longest wait for the release, milliseconds. */
const RELEASE_MS = 3_000

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
      if (isLogged(++failures)) log.warn({ code, reason: message, failures }, 'the Lease cannot be taken')
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

async function tryAcquire(options: ElectionOptions, seen: Sighting | undefined, signal: AbortSignal): Promise<Attempt> {
  const { api, namespace, name, clock } = options
  const current: Lease | undefined = await api.get(LEASES, { namespace, name }, signal)
  if (current === undefined) {
    const lease = await api.create(LEASES, { metadata: { namespace, name }, spec: specOf(options, 1) }, signal)
    return { kind: 'acquired', lease }
  }
  const version = current.metadata.resourceVersion
  const since = seen !== undefined && seen.version === version ? seen : { version, sinceMs: clock.monotonicMs() }
  if (clock.monotonicMs() - since.sinceMs < restMsOf(options, current)) return { kind: 'held', seen: since }
  try {
    const spec = specOf(options, (current.spec?.leaseTransitions ?? 0) + 1)
    return { kind: 'acquired', lease: await api.replace(LEASES, { ...current, spec }, signal) }
  } catch (cause) {
    // another candidate was faster
    if (isKubeError(cause, 'KUBE_CONFLICT')) return { kind: 'held', seen: { version: undefined, sinceMs: 0 } }
    throw cause
  }
}

/**
 * Returns for how long the Lease must not change before it may be taken, in milliseconds: 0 if it has no holder. The
 * holder's own duration counts too, because another version of ingot may have another one.
 */
function restMsOf({ times = ELECTION_TIMES }: ElectionOptions, { spec }: Lease): number {
  if ((spec?.holderIdentity ?? '') === '') return 0
  return Math.max(times.leaseMs, (spec?.leaseDurationSeconds ?? 0) * 1_000)
}

function specOf({ identity, clock, times = ELECTION_TIMES }: ElectionOptions, transitions: number): LeaseSpec {
  const now = microTimeOf(clock.wallMs())
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(times.leaseMs / 1_000),
    leaseTransitions: transitions,
    acquireTime: now,
    renewTime: now,
  }
}

/** Leads with an acquired Lease until it is lost or the signal aborts. */
async function serve(options: ElectionOptions, acquired: Lease, sentMs: number, signal: AbortSignal): Promise<void> {
  const { log, measures, identity, lead } = options
  const term = new Term(options, acquired, sentMs)
  const follow = (): void => term.end(signal.reason)
  signal.addEventListener('abort', follow, { once: true })
  if (signal.aborted) follow()
  log.info({ identity, term: term.number }, 'this process leads')
  measures.leading(true)
  const renewing = term.renew()
  try {
    await lead(term)
  } catch (failure) {
    if (!term.signal.aborted) throw failure
  } finally {
    signal.removeEventListener('abort', follow)
    measures.leading(false)
    term.end(new Error('the term ended'))
    await renewing
    if (term.isHeld()) await release(options, term.lease)
    log.info({ identity, term: term.number }, 'this process no longer leads')
  }
}

/** Lets the next process take the Lease at once. The number of terms stays. Never rejects. */
async function release({ api, clock, log }: ElectionOptions, lease: Lease): Promise<void> {
  const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTimeOf(clock.wallMs()) }
  try {
    await api.replace(LEASES, { ...lease, spec }, AbortSignal.timeout(RELEASE_MS))
  } catch (cause) {
    log.warn({ reason: reasonOf(cause) }, 'the Lease was not released; it expires by itself')
  }
}
