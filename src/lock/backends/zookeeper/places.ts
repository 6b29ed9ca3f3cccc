/** The places of this process in the queues, and the timers that end them. */
import type { Clock, Timer } from '../../../std/clock.ts'
import type { Key, Token } from '../../lock.ts'
import type { TokenTurns } from '../../token-turns.ts'
import type { Connection } from './connection.ts'
import { isRefusal } from './failure.ts'
import { deleteNode, prefixOf, queueOf, readNode, writeNode } from './requests.ts'
import type { Session } from './session.ts'
import { CODE, OP } from './wire.ts'

export interface PlaceNode {
  readonly path: string
  readonly czxid: bigint
  readonly fence: bigint
}

/** What this process knows of a token's node. */
export interface Place {
  readonly id: string
  readonly token: Token
  /** The node of the key. */
  readonly queue: string
  /** The session that the node ends with. */
  readonly sessionId: bigint
  node?: PlaceNode | undefined
  /** Monotonic end of the lease, while the token holds the key. */
  heldUntilMs?: number | undefined
  /** True after a refusal that its owner waits for. */
  isQueued: boolean
  /** True after a creation without a response: there may be a node that this process does not know. */
  isUncertain: boolean
  /** True after a deletion without a response. */
  isDeleting: boolean
  timer?: Timer | undefined
  /** When the timer's work is due, in monotonic milliseconds. */
  dueMs: number
}

/** Timers may fire this much early, in milliseconds. */
const EARLY_MS = 2
/** Pause before a failed removal is repeated, in milliseconds. */
const RETRY_MS = 500
const never = new AbortController().signal

export interface PlaceDeps {
  readonly session: Session
  readonly turns: TokenTurns
  readonly clock: Clock
  /** The node above all queues. */
  readonly base: string
}

export class Places {
  readonly #deps: PlaceDeps
  readonly #places = new Map<string, Place>()
  #isClosed = false

  constructor(deps: PlaceDeps) {
    this.#deps = deps
  }

  get(key: Key, token: Token): Place | undefined {
    return this.#places.get(this.#idOf(key, token))
  }

  /** Returns the place of the token that created this node. */
  ofNode(path: string): Place | undefined {
    return this.#places.get(path.replace(/-?\d{10}$/, ''))
  }

  /** Returns the place with this id. */
  byId(id: string): Place | undefined {
    return this.#places.get(id)
  }

  add(key: Key, token: Token, sessionId: bigint): Place {
    const id = this.#idOf(key, token)
    const queue = queueOf(this.#deps.base, key)
    const flags = { isQueued: false, isUncertain: false, isDeleting: false }
    const place: Place = { id, token, queue, sessionId, ...flags, dueMs: Number.POSITIVE_INFINITY }
    this.#places.set(id, place)
    return place
  }

  /**
   * Deletes the node. Returns true if it existed. Rejects if that is unknown: then the place is kept, for a repetition.
   * A node of an earlier session has ended, or ends with it.
   */
  async remove(place: Place): Promise<boolean> {
    const connection = await this.#deps.session.connection()
    const isOurs = place.sessionId === connection.session.id
    const existed = isOurs && (await this.vacate(connection, place))
    this.forget(place)
    return existed
  }

  /** Deletes the node, as `remove` does, and keeps the place for another one. */
  async vacate(connection: Connection, place: Place): Promise<boolean> {
    const names = place.isUncertain ? await this.#search(connection, place) : []
    const paths = place.node === undefined ? names : [place.node.path, ...names]
    const wasDeleting = place.isDeleting
    place.isDeleting = paths.length > 0
    const deleted = await Promise.all(paths.map((path) => isDeleted(connection, path)))
    const existed = deleted.includes(true) || (wasDeleting && place.node !== undefined)
    place.isDeleting = false
    place.isUncertain = false
    place.node = undefined
    return existed
  }

  forget(place: Place): void {
    place.timer?.cancel()
    if (this.#places.get(place.id) === place) this.#places.delete(place.id)
  }

  /** Removes the node at the end of its lease, or of its owner's wait. Repeats this until the servers respond. */
  expireIn(place: Place, ms: number): void {
    place.timer?.cancel()
    if (this.#isClosed) return
    const { clock, turns } = this.#deps
    place.dueMs = clock.monotonicMs() + ms
    place.timer = clock.timer(ms, () => {
      void turns.run([place.token], never, async () => {
        // a call that was under way may have extended it
        const isDue = clock.monotonicMs() >= place.dueMs - EARLY_MS
        if (this.#places.get(place.id) !== place || !isDue) return
        await this.remove(place).catch(() => this.expireIn(place, RETRY_MS))
      })
    })
  }

  /** Ends all timers. The nodes end with the session. */
  close(): void {
    this.#isClosed = true
    for (const { timer } of this.#places.values()) timer?.cancel()
  }

  /**
   * Returns the paths of the token's nodes. The write comes first: the server that responds to it has seen every earlier
   * transaction of this session, so no node can appear later.
   */
  async #search(connection: Connection, { queue, token }: Place): Promise<readonly string[]> {
    const [, children] = await Promise.all([
      connection.request(OP.setData, writeNode(this.#deps.base)),
      connection.request(OP.getChildren2, readNode(queue)).catch((thrown: unknown) => {
        if (isRefusal(thrown, CODE.noNode)) return undefined
        throw thrown
      }),
    ])
    const names = children?.body.texts() ?? []
    return names.filter((name) => name.startsWith(prefixOf(token))).map((name) => `${queue}/${name}`)
  }

  #idOf(key: Key, token: Token): string {
    return `${queueOf(this.#deps.base, key)}/${prefixOf(token)}`
  }
}

/** Deletes the node. Returns false if there was none. */
async function isDeleted(connection: Connection, path: string): Promise<boolean> {
  try {
    await connection.request(OP.delete, deleteNode(path))
    return true
  } catch (thrown) {
    if (isRefusal(thrown, CODE.noNode)) return false
    throw thrown
  }
}
