/**
 * The leases of etcd that entries are bound to. A lease serves another token only if every request that named it has
 * been answered: a put that was delayed could otherwise add an entry under a lease that is renewed for another token.
 */
import type { Clock } from '../../../std/clock.ts'
import type { Gateway } from './gateway.ts'

export interface ServerLease {
  readonly id: string
  readonly ttlMs: number
  /** Monotonic milliseconds until which the server keeps it at least. */
  aliveMs: number
  /** True after a request that named it got no response. */
  dirty: boolean
}

export interface Leases {
  /** Returns a lease that outlives `ttlMs` from now. Rejects with a code LOCK_*. */
  take(ttlMs: number): Promise<ServerLease>
  /** Runs a request that names the lease. */
  naming<T>(lease: ServerLease, request: () => Promise<T>): Promise<T>
  /** Renews the lease unless it outlives `ttlMs`. Returns false if the server has none. */
  keep(lease: ServerLease, ttlMs: number): Promise<boolean>
  /** Ends the lease and deletes what is bound to it. Returns false if the server had none. */
  revoke(lease: ServerLease): Promise<boolean>
  /** Keeps a lease without entries for another token, or ends it in the background. */
  giveBack(lease: ServerLease): void
}

/** Spare leases of one length. */
const MAX_SPARE = 32
/** The server's minimum is 1.5 election timeouts of one second, in whole seconds. */
const MIN_SECONDS = 2
/** A spare lease with less time than this is not used any more, in milliseconds. */
const LAST_MS = 500

export function createLeases(gateway: Gateway, clock: Clock): Leases {
  const spares = new Map<number, ServerLease[]>()

  async function granted(seconds: number): Promise<ServerLease> {
    const sentMs = clock.monotonicMs()
    const { ID } = await gateway.call('lease/grant', { TTL: String(seconds) })
    const ttlMs = seconds * 1_000
    return { id: String(ID), ttlMs, aliveMs: sentMs + ttlMs, dirty: false }
  }

  async function revoke({ id }: ServerLease): Promise<boolean> {
    try {
      await gateway.call('lease/revoke', { ID: id })
      return true
    } catch (thrown) {
      if (isMissing(thrown)) return false
      throw thrown
    }
  }

  async function naming<T>(lease: ServerLease, request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (thrown) {
      lease.dirty = true
      throw thrown
    }
  }

  return {
    async take(ttlMs) {
      // the server may count a second less than it was asked for
      const seconds = Math.max(MIN_SECONDS, Math.ceil(ttlMs / 1_000) + 1)
      const list = spares.get(seconds) ?? []
      for (let spare = list.pop(); spare !== undefined; spare = list.pop()) {
        if (spare.aliveMs - clock.monotonicMs() > LAST_MS) return spare
      }
      return granted(seconds)
    },
    naming,
    async keep(lease, ttlMs) {
      const sentMs = clock.monotonicMs()
      if (lease.aliveMs - sentMs >= ttlMs) return true
      const { result } = await gateway.call('lease/keepalive', { ID: lease.id })
      const isAlive = typeof result === 'object' && result !== null && 'TTL' in result
      if (isAlive) lease.aliveMs = sentMs + lease.ttlMs
      return isAlive
    },
    revoke,
    giveBack(lease) {
      const seconds = lease.ttlMs / 1_000
      const list = spares.get(seconds) ?? []
      spares.set(seconds, list)
      if (!lease.dirty && list.length < MAX_SPARE) list.push(lease)
      // without a response the lease ends by itself
      else void revoke(lease).catch(() => {})
    },
  }
}

/** Returns true for the error of a lease that the server does not have. */
export function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.message.includes('requested lease not found')
}
