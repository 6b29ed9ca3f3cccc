/** The places of this process in the queues: their leases, and the timers that end them. */
import type { Clock, Timer } from '../../../std/clock.ts'
import type { Token } from '../../lock.ts'
import type { TokenTurns } from '../../token-turns.ts'
import type { Gateway, Json } from './gateway.ts'
import type { Leases, ServerLease } from './leases.ts'
import { deleteEntry, type Entry } from './requests.ts'

/** What this process knows of its entry. */
export interface Place {
  readonly name: string
  readonly token: Token
  lease: ServerLease
  /** Present while the token holds the key: the entry, and the monotonic end of its lease. */
  held?: { readonly entry: Entry; endsMs: number } | undefined
  /** True if the entry may exist. */
  queued: boolean
  timer?: Timer | undefined
  /** When the timer's work is due, in monotonic milliseconds. */
  dueMs: number
}

/** Timers may fire this much early, in milliseconds. */
const EARLY_MS = 2
const never = new AbortController().signal

export interface PlaceDeps {
  readonly gateway: Gateway
  readonly leases: Leases
  readonly turns: TokenTurns
  readonly clock: Clock
}

export class Places {
  readonly #gateway: Gateway
  readonly #leases: Leases
  readonly #turns: TokenTurns
  readonly #clock: Clock
  readonly #places = new Map<string, Place>()

  constructor({ gateway, leases, turns, clock }: PlaceDeps) {
    this.#gateway = gateway
    this.#leases = leases
    this.#turns = turns
    this.#clock = clock
  }

  get(name: string): Place | undefined {
    return this.#places.get(name)
  }

  add(name: string, token: Token, lease: ServerLease): Place {
    const place: Place = { name, token, lease, queued: false, dueMs: Number.POSITIVE_INFINITY }
    this.#places.set(name, place)
    return place
  }

  /** Deletes the entry. Returns true if it existed. Rejects if that is unknown: then the place is kept, for a repetition. */
  async remove(place: Place): Promise<boolean> {
    const { lease, name } = place
    const deletion = (): Promise<Json> => this.#gateway.call('kv/txn', deleteEntry(name))
    // a delayed put fails when its lease is gone
    const existed = lease.dirty
      ? await this.#leases.revoke(lease)
      : (await this.#leases.naming(lease, deletion))['succeeded'] === true
    this.#unlist(place)
    if (!lease.dirty) this.#leases.giveBack(lease)
    return existed
  }

  /** Ends a place whose entry does not exist, or ends with its lease. */
  forget(place: Place): void {
    this.#unlist(place)
    this.#leases.giveBack(place.lease)
  }

  #unlist(place: Place): void {
    place.timer?.cancel()
    this.#places.delete(place.name)
  }

  /** Removes the entry at the end of its lease, or of its owner's wait. The server does it later if this fails. */
  expireIn(place: Place, ms: number): void {
    place.timer?.cancel()
    place.dueMs = this.#clock.monotonicMs() + ms
    place.timer = this.#clock.timer(ms, () => {
      void this.#turns.run([place.token], never, async () => {
        // a call that was under way may have extended it
        const isDue = this.#clock.monotonicMs() >= place.dueMs - EARLY_MS
        if (this.#places.get(place.name) !== place || !isDue) return
        await this.remove(place).catch(() => this.forget(place))
      })
    })
  }

  /** Ends all timers. The server ends the leases. */
  close(): void {
    for (const { timer } of this.#places.values()) timer?.cancel()
  }
}
