/** One attempt at a key: a node at the end of its queue, and the look whether it is the first one. */
import type { Clock } from '../../../std/clock.ts'
import type { LeaseRequest } from '../../backend.ts'
import type { Attempt } from '../../lock.ts'
import type { Connection } from './connection.ts'
import { isRefusal, Refusal } from './failure.ts'
import type { FenceOfNode, NodeFences } from './fences.ts'
import type { Place, PlaceNode, Places } from './places.ts'
import { createQueue } from './prepare.ts'
import { inOrder, joinQueue, readNode, writeNode } from './requests.ts'
import { CODE, OP, type Reader, type Stat } from './wire.ts'

export interface ClaimDeps {
  readonly clock: Clock
  readonly places: Places
  readonly fences: NodeFences
  /** The node above all queues. */
  readonly base: string
  /** Nodes are for this user only. */
  readonly isUsersOnly: boolean
}

/** How long a waiter's node outlives its owner's last call, in milliseconds. */
export const GRACE_MS = 5_000
/** When a node that may exist is looked for, in milliseconds. */
const UNCERTAIN_MS = 500
/** A key without a queue, and a leader without an epoch, cost one more try each. */
const MAX_TRIES = 5

export class Claims {
  readonly #deps: ClaimDeps

  constructor(deps: ClaimDeps) {
    this.#deps = deps
  }

  /** Sends the requests before it returns. Rejects with a `Refusal`, with LOCK_*, or with an Error for a node that is gone. */
  async attempt(connection: Connection, place: Place, request: LeaseRequest): Promise<Attempt<'always'>> {
    place.isQueued ||= request.willWait ?? false
    try {
      return await this.#attempt(connection, place, request)
    } catch (thrown) {
      if (place.node === undefined && !place.isUncertain) this.#deps.places.forget(place)
      else this.keep(place)
      throw thrown
    }
  }

  async #attempt(connection: Connection, place: Place, { ttlMs }: LeaseRequest): Promise<Attempt<'always'>> {
    const { clock, base, isUsersOnly } = this.#deps
    for (let left = MAX_TRIES; left > 0; left--) {
      const sentMs = clock.monotonicMs()
      const queue = await this.#claim(connection, place)
      if (queue === 'absent') await createQueue(connection, base, place.queue, isUsersOnly)
      else if (queue !== 'no epoch') return this.#outcome(connection, place, queue, { sentMs, ttlMs })
    }
    throw new Error('the queue of the key was deleted again and again')
  }

  /** Adds the node, or writes to it, and reads the queue, in one exchange. The write proves that the session is alive. */
  async #claim(connection: Connection, place: Place): Promise<readonly string[] | 'absent' | 'no epoch'> {
    const { fences, isUsersOnly } = this.#deps
    const fenceOf = fences.now()
    const { node } = place
    place.isUncertain ||= node === undefined
    const [written, listed] = await Promise.allSettled([
      node === undefined
        ? connection.request(OP.create2, joinQueue(place.queue, place.token, isUsersOnly))
        : connection.request(OP.setData, writeNode(node.path)),
      connection.request(OP.getChildren2, readNode(place.queue)),
    ])
    if (written.status === 'rejected') return this.#refused(place, written.reason)
    if (node !== undefined && !isSame(connection, node, written.value.body.stat())) throw this.#gone(place)
    if (node === undefined && !this.#created(place, written.value.body, fenceOf)) {
      await this.#deps.places.vacate(connection, place)
      await fences.learn(written.value.zxid)
      return 'no epoch'
    }
    if (listed.status === 'rejected') throw listed.reason
    return inOrder(listed.value.body.texts())
  }

  /** Returns false if the epoch of the leader was not known when the node was created. */
  #created(place: Place, body: Reader, fenceOf: FenceOfNode): boolean {
    const path = body.text()
    const { czxid } = body.stat()
    const fence = fenceOf(czxid)
    place.isUncertain = false
    place.node = { path, czxid, fence: fence ?? 0n }
    return fence !== undefined
  }

  /** Returns that there is no queue, or throws. A refusal is certain: the node was not created. */
  #refused(place: Place, reason: unknown): 'absent' {
    if (reason instanceof Refusal) place.isUncertain = false
    if (!isRefusal(reason, CODE.noNode)) throw reason
    if (place.node !== undefined) throw this.#gone(place)
    return 'absent'
  }

  async #outcome(
    connection: Connection,
    place: Place,
    queue: readonly string[],
    { sentMs, ttlMs }: { readonly sentMs: number; readonly ttlMs: number },
  ): Promise<Attempt<'always'>> {
    const own = place.node?.path.slice(place.queue.length + 1) ?? ''
    const at = queue.indexOf(own)
    if (at < 0) throw this.#gone(place)
    if (at === 0) return this.#granted(place, Math.min(sentMs + ttlMs, connection.leaseEndMs(sentMs)))
    const ticket = `${place.id} ${place.queue}/${queue[at - 1]}`
    if (place.isQueued) this.keep(place)
    else await this.#deps.places.remove(place).catch(() => this.keep(place))
    return { kind: 'held', remainingMs: undefined, ...(place.isQueued ? { ticket } : {}) }
  }

  #granted(place: Place, endsMs: number): Attempt<'always'> {
    const nowMs = this.#deps.clock.monotonicMs()
    place.heldUntilMs ??= endsMs
    const ttlMs = place.heldUntilMs - nowMs
    this.keep(place)
    if (ttlMs <= 0) throw new Error('the lease ended before the response came')
    return { kind: 'granted', fence: place.node?.fence ?? 0n, ttlMs }
  }

  /** Ends the place at the end of its lease, or when its owner has not called for a while. */
  keep(place: Place): void {
    const { clock, places } = this.#deps
    const ms = place.heldUntilMs === undefined ? GRACE_MS : place.heldUntilMs - clock.monotonicMs()
    places.expireIn(place, Math.max(0, place.isUncertain ? Math.min(ms, UNCERTAIN_MS) : ms))
  }

  #gone(place: Place): Error {
    place.node = undefined
    place.heldUntilMs = undefined
    return new Error('the node of the lock was deleted')
  }
}

/** Returns true if the node is the one that this session created. */
export function isSame(connection: Connection, { czxid }: PlaceNode, stat: Stat): boolean {
  return stat.czxid === czxid && stat.owner === connection.session.id
}
