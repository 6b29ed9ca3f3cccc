/**
 * Locks on a ZooKeeper ensemble. The nodes of a key are its queue, in the order of the numbers that the server adds to
 * their names. The first one holds the key, and the transaction that created it is the fence. All nodes of a process end
 * with its session.
 *
 * A session is longer than the leases that it carries: a lease is at most 60 % of it. So the key of a dead process is
 * free after the session. A running process ends its leases itself.
 */
import { abortable } from '../../../std/abort.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Lease, LeaseRequest } from '../../backend.ts'
import type { Attempt, Extension, Inspection, Key, Release, Ticket } from '../../lock.ts'
import { unavailable } from '../../outage.ts'
import { createTokenTurns, type TokenTurns } from '../../token-turns.ts'
import { Claims, GRACE_MS, isSame } from './claims.ts'
import type { Connection } from './connection.ts'
import { isRefusal, zookeeperFailure } from './failure.ts'
import { NodeFences } from './fences.ts'
import type { ZooKeeperLock, ZooKeeperLockDeps } from './options.ts'
import { type Place, Places } from './places.ts'
import { prepare, statOf } from './prepare.ts'
import { inOrder, queueOf, readNode, syncNode, writeNode } from './requests.ts'
import { createSession, type Session } from './session.ts'
import { type LockUrl, parseLockUrl } from './url.ts'
import { Watches } from './waiting.ts'
import { CODE, OP } from './wire.ts'

export type { ZooKeeperLock, ZooKeeperLockDeps } from './options.ts'

/** Callers bound their waits. This removes the node of one that never ends, in milliseconds. */
const WAIT_MS = 3_600_000

class ZooKeeperBackend implements ZooKeeperLock {
  readonly name = 'zookeeper'
  readonly capabilities = { fencing: 'always', wakes: true, fair: true } as const
  readonly #clock: Clock
  readonly #url: LockUrl
  readonly #session: Session
  readonly #fences: NodeFences
  readonly #turns: TokenTurns
  readonly #places: Places
  readonly #claims: Claims
  readonly #watches = new Watches()

  constructor(url: LockUrl, { clock, fences }: ZooKeeperLockDeps) {
    this.#clock = clock
    this.#url = url
    this.#session = createSession({ ...url, clock })
    this.#fences = new NodeFences(clock, fences)
    this.#turns = createTokenTurns((thrown) => zookeeperFailure(thrown, url.base))
    const { base, credentials } = url
    const places = new Places({ session: this.#session, turns: this.#turns, clock, base })
    this.#places = places
    const isUsersOnly = credentials !== undefined
    this.#claims = new Claims({ clock, places, fences: this.#fences, base, isUsersOnly })
  }

  async start(signal: AbortSignal): Promise<void> {
    const { base, credentials } = this.#url
    const connection = await this.#session.start(signal)
    const { identity, zxid } = await prepare(connection, base, credentials !== undefined)
    this.#fences.name(identity)
    await this.#fences.learn(zxid, signal)
  }

  tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<'always'>> {
    return this.#turns.run([request.token], signal, async () => {
      const connection = await this.#session.connection()
      return this.#claims.attempt(connection, await this.#placeOf(connection, request), request)
    })
  }

  async tryAcquireMany(requests: readonly LeaseRequest[], signal: AbortSignal): Promise<readonly Attempt<'always'>[]> {
    const tokens = requests.map(({ token }) => token)
    const outcomes = await this.#turns.run(tokens, signal, async () => {
      const connection = await this.#session.connection()
      const places = await Promise.all(requests.map((request) => this.#placeOf(connection, request)))
      const failed = (thrown: unknown): Attempt<'always'> => unavailable('', zookeeperFailure(thrown, this.#url.base))
      // a packet has what one turn of the event loop sends
      const attempts = requests.flatMap((request, i) => {
        const place = places[i]
        return place === undefined ? [] : [this.#claims.attempt(connection, place, request).catch(failed)]
      })
      return Promise.all(attempts)
    })
    return 'kind' in outcomes ? requests.map(() => outcomes) : outcomes
  }

  extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    return this.#turns.run([request.token], signal, () => this.#extend(request))
  }

  release({ key, token }: Lease, signal: AbortSignal): Promise<Release> {
    return this.#turns.run<Release>([token], signal, async () => {
      const place = this.#places.get(key, token)
      if (place === undefined) return { kind: 'lost' }
      const isInTime = this.#isHeld(place)
      const existed = await this.#places.remove(place)
      return { kind: isInTime && existed ? 'released' : 'lost' }
    })
  }

  inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    return this.#turns.run<Inspection>([], signal, async () => {
      const connection = await this.#session.connection()
      const queue = queueOf(this.#url.base, key)
      const names = await this.#namesOf(connection, queue)
      const [first] = inOrder(names)
      const found = first === undefined ? undefined : await statOf(connection, `${queue}/${first}`)
      if (found === undefined) return { kind: 'free' }
      // only the holder's own process knows when it gives the key up; its session is longer
      const endsMs = this.#places.ofNode(`${queue}/${first}`)?.heldUntilMs
      const remainingMs = endsMs === undefined ? undefined : Math.max(0, endsMs - this.#clock.monotonicMs())
      return { kind: 'held', remainingMs, fence: this.#fences.now()(found.czxid) }
    })
  }

  async wait(_key: Key, ticket: Ticket, signal: AbortSignal): Promise<void> {
    const [own = '', before = ''] = ticket.split(' ')
    const place = this.#places.byId(own)
    if (place === undefined || signal.aborted) return
    this.#places.expireIn(place, WAIT_MS)
    try {
      await this.#watches.untilGone(await abortable(this.#session.connection(), signal), before, signal)
    } catch {
      // the caller looks again
    }
    if (this.#places.byId(own) === place) this.#places.expireIn(place, GRACE_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#places.close()
    await this.#session[Symbol.asyncDispose]()
  }

  /** Returns the place of the token. Begins a new one if there is none, or if the earlier one is of no more use. */
  async #placeOf(connection: Connection, { key, token }: LeaseRequest): Promise<Place> {
    const known = this.#places.get(key, token)
    const isOver = known?.heldUntilMs !== undefined && !this.#isHeld(known)
    const isUsable = known?.sessionId === connection.session.id && !known.isUncertain && !known.isDeleting && !isOver
    if (known !== undefined && isUsable) return known
    if (known !== undefined) await this.#places.remove(known)
    return this.#places.add(key, token, connection.session.id)
  }

  /** Writes to the node: a follower that has lost its leader responds to reads for seconds. */
  async #extend({ key, token, ttlMs }: LeaseRequest): Promise<Extension> {
    const place = this.#places.get(key, token)
    if (place?.node === undefined || !this.#isHeld(place)) return { kind: 'lost' }
    const connection = await this.#session.connection()
    const sentMs = this.#clock.monotonicMs()
    const isAlive = place.sessionId === connection.session.id && (await this.#write(connection, place))
    if (!isAlive) {
      this.#places.forget(place)
      return { kind: 'lost' }
    }
    const endsMs = Math.min(sentMs + ttlMs, connection.leaseEndMs(sentMs))
    place.heldUntilMs = Math.max(place.heldUntilMs ?? 0, endsMs)
    this.#claims.keep(place)
    return { kind: 'extended', ttlMs: Math.max(0, endsMs - this.#clock.monotonicMs()) }
  }

  /** Returns false if the node is gone. */
  async #write(connection: Connection, { node }: Place): Promise<boolean> {
    if (node === undefined) return false
    try {
      const { body } = await connection.request(OP.setData, writeNode(node.path))
      return isSame(connection, node, body.stat())
    } catch (thrown) {
      if (isRefusal(thrown, CODE.noNode)) return false
      throw thrown
    }
  }

  /** Returns the names in the queue of a key. The server catches up with its leader first. */
  async #namesOf(connection: Connection, queue: string): Promise<readonly string[]> {
    const listed = connection
      .request(OP.sync, syncNode(this.#url.base))
      .then(() => connection.request(OP.getChildren2, readNode(queue)))
    try {
      return (await listed).body.texts()
    } catch (thrown) {
      if (isRefusal(thrown, CODE.noNode)) return []
      throw thrown
    }
  }

  #isHeld({ heldUntilMs }: Place): boolean {
    return heldUntilMs !== undefined && this.#clock.monotonicMs() < heldUntilMs
  }
}

/**
 * Connects to `zookeeper://[user:password@]host[:2181],…[/root]` or, with TLS,
 * `zookeepers://…?ca=FILE&cert=FILE&key=FILE`. All nodes are below the root; default: ingot. The parameter `session` is
 * the length of the session; default: 20s. Rejects with `CONFIG_INVALID`, `LOCK_ACCESS_REFUSED`, `LOCK_TLS_FAILED`,
 * `LOCK_UNSUITABLE`, `LOCK_BACKEND_UNAVAILABLE` or `FENCE_STORE_UNAVAILABLE`, and with the signal's reason.
 */
export async function connectZooKeeperLock(
  url: string,
  deps: ZooKeeperLockDeps,
  signal: AbortSignal,
): Promise<ZooKeeperLock> {
  const parsed = parseLockUrl(url)
  const backend = new ZooKeeperBackend(parsed, deps)
  try {
    await abortable(backend.start(signal), signal)
    return backend
  } catch (thrown) {
    await backend[Symbol.asyncDispose]()
    throw signal.aborted ? thrown : zookeeperFailure(thrown, parsed.base)
  }
}
