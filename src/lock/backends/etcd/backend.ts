/**
 * Locks on an etcd cluster, through its JSON gateway. The entries of a key are its queue, in the order of their create
 * revisions. The first one holds the key, and its create revision is the fence. Each entry is bound to a lease of its
 * own, so that it ends with its process.
 *
 * etcd's leases have whole seconds, and at least two. A lease that ends sooner is ended by this process; that of a dead
 * process ends up to 2.5 seconds late, and after a change of the leader it lasts for its whole length again.
 */
import { IngotError } from '../../../errors/error.ts'
import { abortable } from '../../../std/abort.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Lease, LeaseRequest } from '../../backend.ts'
import { composeFence } from '../../fencing/fence-store.ts'
import type { Attempt, Extension, Inspection, Key, Release, Ticket } from '../../lock.ts'
import { namespaceOf, parseServiceUrl, readTlsFiles } from '../../service-url.ts'
import { createTokenTurns, type TokenTurns } from '../../token-turns.ts'
import { createGateway, type Gateway, isJson } from './gateway.ts'
import { createLeases, isMissing, type Leases } from './leases.ts'
import type { EtcdLock, EtcdLockDeps } from './options.ts'
import { type Place, Places } from './places.ts'
import {
  claimIfFree,
  type Entry,
  entriesOf,
  entriesOfTxn,
  moveEntry,
  nameOf,
  prefixOf,
  queueUp,
  readEntry,
  readFirst,
  revisionOf,
} from './requests.ts'
import { createWatches, type Watches } from './waiting.ts'

export type { EtcdLock, EtcdLockDeps } from './options.ts'

/** How long a waiter's entry outlives its owner's last call, in milliseconds. */
const GRACE_MS = 5_000
/** Callers bound their waits. This removes the entry of one that never ends, in milliseconds. */
const WAIT_MS = 3_600_000
const PORT = 2_379

class EtcdBackend implements EtcdLock {
  readonly name = 'etcd'
  readonly capabilities = { fencing: 'always', wakes: true, fair: true } as const
  readonly #clock: Clock
  readonly #gateway: Gateway
  readonly #leases: Leases
  readonly #watches: Watches
  readonly #namespace: string
  readonly #turns: TokenTurns = createTokenTurns(etcdFailure)
  readonly #places: Places
  #epoch = 0n

  constructor(gateway: Gateway, namespace: string, clock: Clock) {
    this.#clock = clock
    this.#gateway = gateway
    this.#namespace = namespace
    this.#leases = createLeases(gateway, clock)
    this.#watches = createWatches(gateway, this.#leases, clock)
    this.#places = new Places({ gateway, leases: this.#leases, turns: this.#turns, clock })
  }

  async start({ fences }: EtcdLockDeps, signal: AbortSignal): Promise<void> {
    const { header } = await this.#gateway.call('maintenance/status', {})
    // reports missing rights
    await this.#gateway.call('kv/range', readFirst(prefixOf(this.#namespace, 'start')))
    const cluster = isJson(header) ? String(header['cluster_id']) : ''
    if (fences !== undefined) this.#epoch = await fences.epochOf(`etcd:${cluster}`, signal)
  }

  tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<'always'>> {
    return this.#turns.run([request.token], signal, () => this.#attempt(request))
  }

  extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    return this.#turns.run([request.token], signal, () => this.#extend(request))
  }

  release({ key, token }: Lease, signal: AbortSignal): Promise<Release> {
    return this.#turns.run<Release>([token], signal, async () => {
      const place = this.#places.get(nameOf(this.#namespace, key, token))
      if (place === undefined) return { kind: 'lost' }
      const isInTime = place.held !== undefined && this.#isRunning(place.held.endsMs)
      const existed = await this.#places.remove(place)
      return { kind: isInTime && existed ? 'released' : 'lost' }
    })
  }

  inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    return this.#turns.run<Inspection>([], signal, async () => {
      const prefix = prefixOf(this.#namespace, key)
      const [first] = entriesOf(await this.#gateway.call('kv/range', readFirst(prefix)))
      if (first === undefined) return { kind: 'free' }
      // only the holder's own process knows when it gives the key up; the server's lease is longer
      const endsMs = this.#places.get(first.name)?.held?.endsMs
      const remainingMs = endsMs === undefined ? undefined : Math.max(0, endsMs - this.#clock.monotonicMs())
      return { kind: 'held', remainingMs, fence: this.#fenceOf(first) }
    })
  }

  async wait(_key: Key, ticket: Ticket, signal: AbortSignal): Promise<void> {
    const [own = '', before = '', revision = '0'] = ticket.split(' ')
    const place = this.#places.get(own)
    if (place === undefined || signal.aborted) return
    this.#places.expireIn(place, WAIT_MS)
    await this.#watches.untilDeleted(before, BigInt(revision), place.lease, signal)
    if (this.#places.get(own) === place) this.#places.expireIn(place, GRACE_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#places.close()
    this.#gateway[Symbol.dispose]()
  }

  async #attempt(request: LeaseRequest): Promise<Attempt<'always'>> {
    const { key, ttlMs, willWait = false } = request
    const place = await this.#placeOf(request)
    const sentMs = this.#clock.monotonicMs()
    const prefix = prefixOf(this.#namespace, key)
    const claim = (willWait ? queueUp : claimIfFree)(prefix, place.name, place.lease.id)
    place.queued ||= willWait
    const response = await this.#alive(place, ttlMs, claim)
    const entries = entriesOfTxn(response)
    const at = entries.findIndex(({ name }) => name === place.name)
    const [first, own, before] = [entries[0], entries[at], entries[at - 1]]
    if (own !== undefined && own.lease !== place.lease.id) throw new Error('the entry is bound to another lease')
    if (own !== undefined && own === first) return this.#granted(place, own, sentMs, ttlMs)
    // no entry, or that of an earlier attempt, which the deadline of its wait removes
    if (own === undefined || before === undefined) {
      if (!place.queued) this.#places.forget(place)
      return { kind: 'held', remainingMs: undefined }
    }
    this.#places.expireIn(place, GRACE_MS)
    const ticket = `${place.name} ${before.name} ${revisionOf(response)}`
    return { kind: 'held', remainingMs: undefined, ticket }
  }

  /** Returns the place of the token. Begins a new one if there is none, or if its lease has ended. */
  async #placeOf({ key, token, ttlMs }: LeaseRequest): Promise<Place> {
    const name = nameOf(this.#namespace, key, token)
    const known = this.#places.get(name)
    const isOver = known?.held !== undefined && !this.#isRunning(known.held.endsMs)
    if (known !== undefined && !isOver) return known
    if (known !== undefined) await this.#places.remove(known)
    return this.#places.add(name, token, await this.#leases.take(ttlMs))
  }

  /** Sends the claim, and renews the lease at the same time. */
  async #alive(place: Place, ttlMs: number, claim: object): Promise<Readonly<Record<string, unknown>>> {
    const kept = this.#leases.keep(place.lease, ttlMs)
    const [claimed, alive] = await Promise.allSettled([
      this.#leases.naming(place.lease, () => this.#gateway.call('kv/txn', { ...claim })),
      kept,
    ])
    const isGone =
      (claimed.status === 'rejected' && isMissing(claimed.reason)) || (alive.status === 'fulfilled' && !alive.value)
    if (isGone) this.#places.forget(place)
    if (isGone) throw new Error('the lease ended before its time')
    if (claimed.status === 'rejected') {
      place.queued = true
      this.#places.expireIn(place, place.lease.ttlMs)
      throw claimed.reason
    }
    if (alive.status === 'rejected') throw alive.reason
    return claimed.value
  }

  #granted(place: Place, entry: Entry, sentMs: number, ttlMs: number): Attempt<'always'> {
    place.queued = true
    place.held ??= { entry, endsMs: sentMs + ttlMs }
    const remainingMs = Math.max(0, place.held.endsMs - this.#clock.monotonicMs())
    this.#places.expireIn(place, remainingMs)
    return { kind: 'granted', fence: this.#fenceOf(entry), ttlMs: remainingMs }
  }

  /** A renewal alone proves nothing: a leader without a majority responds to it. So it needs a read by the majority. */
  async #extend({ key, token, ttlMs }: LeaseRequest): Promise<Extension> {
    const place = this.#places.get(nameOf(this.#namespace, key, token))
    if (place?.held === undefined || !this.#isRunning(place.held.endsMs)) return { kind: 'lost' }
    const { held } = place
    const sentMs = this.#clock.monotonicMs()
    const [entry, isKept] = await Promise.all([this.#read(place), this.#leases.keep(place.lease, place.lease.ttlMs)])
    const isSame = entry?.revision === held.entry.revision
    const fits = entry?.lease === place.lease.id && place.lease.aliveMs >= sentMs + ttlMs
    if (!isSame || !isKept || (!fits && !(await this.#move(place, held.entry, ttlMs)))) {
      this.#places.forget(place)
      return { kind: 'lost' }
    }
    held.endsMs = Math.max(held.endsMs, sentMs + ttlMs)
    this.#places.expireIn(place, held.endsMs - this.#clock.monotonicMs())
    return { kind: 'extended', ttlMs: Math.max(0, sentMs + ttlMs - this.#clock.monotonicMs()) }
  }

  async #read({ name }: Place): Promise<Entry | undefined> {
    return entriesOf(await this.#gateway.call('kv/range', readEntry(name)))[0]
  }

  /** Binds the entry to a longer lease. Returns false if the entry is gone. */
  async #move(place: Place, entry: Entry, ttlMs: number): Promise<boolean> {
    const longer = await this.#leases.take(ttlMs)
    // without a response, the next extension finds the entry on either lease, and both outlive the held one
    const { succeeded } = await this.#leases.naming(longer, () =>
      this.#gateway.call('kv/txn', { ...moveEntry(entry, longer.id) }),
    )
    if (succeeded === true) {
      this.#leases.giveBack(place.lease)
      place.lease = longer
    } else this.#leases.giveBack(longer)
    return succeeded === true
  }

  #isRunning(endsMs: number): boolean {
    return this.#clock.monotonicMs() < endsMs
  }

  #fenceOf({ revision }: Entry): bigint {
    return this.#epoch === 0n ? revision : composeFence(this.#epoch, revision)
  }
}

function etcdFailure(thrown: unknown): IngotError {
  if (thrown instanceof IngotError) return thrown
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return new IngotError('LOCK_BACKEND_UNAVAILABLE', `etcd did not answer as it should: ${reason}`, { cause: thrown })
}

/**
 * Connects to `etcd://[user:password@]host[:2379],…` or, with TLS, `etcds://…?ca=FILE&cert=FILE&key=FILE`. The parameter
 * `namespace` begins all names; default: ingot. Rejects with `CONFIG_INVALID`, `LOCK_ACCESS_REFUSED`,
 * `LOCK_TLS_FAILED`, `LOCK_UNSUITABLE`, `LOCK_BACKEND_UNAVAILABLE` or `FENCE_STORE_UNAVAILABLE`, and with the signal's
 * reason.
 */
export async function connectEtcdLock(url: string, deps: EtcdLockDeps, signal: AbortSignal): Promise<EtcdLock> {
  const parsed = parseServiceUrl(url, PORT, ['ca', 'cert', 'key', 'namespace'])
  const tls = url.startsWith('etcds:') ? readTlsFiles(parsed.parameters) : undefined
  const gateway = createGateway(parsed, tls, deps.clock)
  const backend = new EtcdBackend(gateway, namespaceOf(parsed.parameters), deps.clock)
  try {
    await abortable(startOnAny(backend, deps, parsed.servers.length, signal), signal)
    return backend
  } catch (thrown) {
    await backend[Symbol.asyncDispose]()
    throw signal.aborted ? thrown : etcdFailure(thrown)
  }
}

/** Each failure of a server leads to the next one. */
async function startOnAny(
  backend: EtcdBackend,
  deps: EtcdLockDeps,
  servers: number,
  signal: AbortSignal,
): Promise<void> {
  for (let left = servers; ; left--) {
    try {
      return await backend.start(deps, signal)
    } catch (thrown) {
      const mayPass = thrown instanceof IngotError && thrown.code === 'LOCK_BACKEND_UNAVAILABLE'
      if (left <= 1 || !mayPass) throw thrown
    }
  }
}
