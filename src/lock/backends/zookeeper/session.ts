/**
 * The session of this process, over changing connections. Only the servers decide that it has ended. A connection that
 * ended is replaced in one place, at the next server.
 */

import { IngotError } from '../../../errors/error.ts'
import { abortable } from '../../../std/abort.ts'
import type { Clock } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import type { ServiceAddress } from '../../service-url.ts'
import { type Connection, type ConnectionDeps, openConnection, type SessionState, silentMs } from './connection.ts'
import { SessionExpired, zookeeperFailure } from './failure.ts'
import { OP } from './wire.ts'

export interface Session extends AsyncDisposable {
  /** Begins the session. Tries each server once. Rejects with a code LOCK_*, or the signal's reason. */
  start(signal: AbortSignal): Promise<Connection>
  /** Resolves with the connection. Rejects with a code LOCK_* if there is none soon. */
  connection(): Promise<Connection>
}

export interface SessionDeps extends ConnectionDeps {
  readonly servers: readonly ServiceAddress[]
  /** Length of the session that is asked for, in milliseconds. */
  readonly ms: number
}

/** Pause after a round in which no server accepted the connection, in milliseconds. */
const PAUSE_MS = 100
/**
 * A session that no server resumed for this many times its length is replaced. Servers that were restored from a backup
 * are older than the session, and would refuse it for ever.
 */
const GIVE_UP_SESSIONS = 5
/** Longest wait for the response to the last request, in milliseconds. */
const CLOSE_MS = 1_000

export function createSession(deps: SessionDeps): Session {
  return new ServerSession(deps)
}

class ServerSession implements Session {
  readonly #deps: SessionDeps
  readonly #clock: Clock
  readonly #closed = new AbortController()
  #state: SessionState
  #at: number
  #connection: Connection | undefined
  #next = Promise.withResolvers<Connection>()
  #lastError: Error
  /** When the session was last connected, in monotonic milliseconds. */
  #connectedMs = 0

  constructor(deps: SessionDeps) {
    this.#deps = deps
    this.#clock = deps.clock
    this.#state = this.#fresh()
    // clients begin at different servers
    this.#at = Math.floor(Math.random() * deps.servers.length)
    this.#lastError = new IngotError('LOCK_BACKEND_UNAVAILABLE', 'zookeeper: there is no connection')
  }

  async start(signal: AbortSignal): Promise<Connection> {
    const connection = await this.#connect(signal)
    void this.#maintain(connection)
    return connection
  }

  async connection(): Promise<Connection> {
    if (this.#connection !== undefined) return this.#connection
    const ms = silentMs(this.#deps.ms)
    const parent = this.#closed.signal
    const timeoutError = (): Error => this.#lastError
    using deadline = createDeadline({ clock: this.#clock, ms, timeoutError, parent, keepsAlive: true })
    return await abortable(this.#next.promise, deadline.signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    this.#closed.abort(new IngotError('LOCK_BACKEND_UNAVAILABLE', 'zookeeper: the lock is closed'))
    if (connection === undefined) return
    // ends the nodes of the session at once
    const closing = connection.request(OP.closeSession, Buffer.alloc(0)).catch(() => {})
    using deadline = createDeadline({ clock: this.#clock, ms: CLOSE_MS, timeoutError: () => this.#lastError })
    await abortable(closing, deadline.signal).catch(() => {})
    connection[Symbol.dispose]()
  }

  #fresh(): SessionState {
    return { id: 0n, password: Buffer.alloc(16), ms: this.#deps.ms, zxid: 0n }
  }

  async #maintain(first: Connection): Promise<void> {
    const { signal } = this.#closed
    let connection: Connection | undefined = first
    while (!signal.aborted) {
      if (connection !== undefined) await this.#serve(connection)
      if (signal.aborted) return
      connection = await this.#connect(signal).catch((thrown: unknown) => {
        this.#lastError = zookeeperFailure(thrown)
        return undefined
      })
      if (connection === undefined) await this.#clock.sleep(PAUSE_MS, signal).catch(() => {})
    }
    connection?.[Symbol.dispose]()
  }

  /** Offers the connection to callers until it ends. */
  async #serve(connection: Connection): Promise<void> {
    if (this.#closed.signal.aborted) return connection[Symbol.dispose]()
    this.#connection = connection
    this.#next.resolve(connection)
    await connection.ended
    this.#connectedMs = this.#clock.monotonicMs()
    this.#state = connection.session
    this.#connection = undefined
    this.#next = Promise.withResolvers()
    this.#at++
  }

  /** Tries each server once, beginning with the next one. Rejects with the error of the last one. */
  async #connect(signal: AbortSignal): Promise<Connection> {
    const { servers } = this.#deps
    const isStale = this.#clock.monotonicMs() - this.#connectedMs > GIVE_UP_SESSIONS * this.#state.ms
    if (this.#state.id !== 0n && isStale) this.#state = this.#fresh()
    for (let left = servers.length; ; left--) {
      try {
        return await this.#open(signal)
      } catch (thrown) {
        this.#at++
        const mayPass = thrown instanceof IngotError && thrown.code === 'LOCK_BACKEND_UNAVAILABLE'
        if (left <= 1 || !mayPass || signal.aborted) throw thrown
      }
    }
  }

  async #open(signal: AbortSignal): Promise<Connection> {
    const { servers } = this.#deps
    const address = servers[this.#at % servers.length] ?? { host: '', port: 0 }
    try {
      return await openConnection(address, this.#state, this.#deps, signal)
    } catch (thrown) {
      if (!(thrown instanceof SessionExpired)) throw thrown
      this.#state = this.#fresh()
      return openConnection(address, this.#state, this.#deps, signal)
    }
  }
}
