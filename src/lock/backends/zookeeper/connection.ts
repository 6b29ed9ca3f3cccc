/**
 * One connection to one server, within a session. The server responds to requests in their order, so many can be under
 * way. A server that does not respond in time loses the connection, because a silent one may have been stopped.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { abortable } from '../../../std/abort.ts'
import type { Clock, Timer } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import { peerCertificates } from '../../../std/peer-certificates.ts'
import type { ServiceAddress, TlsFiles } from '../../service-url.ts'
import { connectionFailure, Refusal, SessionExpired } from './failure.ts'
import { Touches } from './touches.ts'
import { Frames, OP, Reader, Writer, XID } from './wire.ts'

export interface SessionState {
  /** 0 asks for a new session. */
  readonly id: bigint
  readonly password: Buffer
  /** Length that is asked for, then the one that the servers agreed to, in milliseconds. */
  readonly ms: number
  /** The newest transaction that the client has seen. A server that is older refuses the connection. */
  readonly zxid: bigint
}

export interface ConnectionDeps {
  readonly clock: Clock
  readonly tls: TlsFiles | undefined
  /** `user:password` of the digest scheme. */
  readonly credentials: string | undefined
}

export interface Reply {
  readonly zxid: bigint
  readonly body: Reader
}

interface Pending {
  readonly xid: number
  readonly sentMs: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

/** Share of the session after which a request without a response ends the connection. */
const SILENT_SHARE = 1 / 4
const MAX_SILENT_MS = 2_000

/** How long a server may be silent, in milliseconds, for a session of this length. */
export const silentMs = (sessionMs: number): number => Math.min(MAX_SILENT_MS, sessionMs * SILENT_SHARE)

/** Opens a connection and begins or resumes the session. Rejects with a code LOCK_*, or `SessionExpired`. */
export async function openConnection(
  address: ServiceAddress,
  session: SessionState,
  deps: ConnectionDeps,
  signal: AbortSignal,
): Promise<Connection> {
  signal.throwIfAborted()
  const connection = new Connection(address, session, deps)
  const ms = silentMs(session.ms)
  const timeoutError = (): Error => connection.failure(new Error(`no response within ${ms} ms`))
  using deadline = createDeadline({ clock: deps.clock, ms, timeoutError, parent: signal, keepsAlive: true })
  try {
    const opened = connection.opened()
    opened.catch(() => {})
    await abortable(opened, deadline.signal)
    return connection
  } catch (thrown) {
    connection[Symbol.dispose]()
    throw thrown
  }
}

export class Connection implements Disposable {
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>
  readonly #address: ServiceAddress
  readonly #deps: ConnectionDeps
  readonly #socket: Socket
  readonly #frames = new Frames()
  readonly #open = Promise.withResolvers<void>()
  readonly #end = Promise.withResolvers<void>()
  #session: SessionState
  #isOpen = false
  #error: Error | undefined
  #xid = 0
  #pending: Pending[] = []
  #pings: number[] = []
  #authorised: Pick<Pending, 'resolve' | 'reject'> | undefined
  #outgoing: Buffer[] = []
  #timer: Timer | undefined
  readonly #touches: Touches
  readonly #watchers = new Map<string, (event: number | undefined) => void>()

  constructor(address: ServiceAddress, session: SessionState, deps: ConnectionDeps) {
    this.#address = address
    this.#session = session
    this.#deps = deps
    this.#touches = new Touches(deps.clock.monotonicMs())
    this.ended = this.#end.promise
    const { host, port } = address
    const { tls } = deps
    const name = isIP(host) === 0 ? { servername: host } : {}
    this.#socket =
      tls === undefined
        ? connectTcp({ host, port, noDelay: true })
        : connectTls({ host, port, ...name, ...tls, ...peerCertificates.watch('zookeeper') })
    this.#socket.setNoDelay(true)
    this.#socket.once(tls === undefined ? 'connect' : 'secureConnect', () => this.#begin())
    this.#socket.on('data', (data: Buffer) => this.#received(data))
    this.#socket.on('error', (error) => this.#close(error))
    this.#socket.on('close', () => this.#close(new Error('the server ended the connection')))
    this.#open.promise.catch(() => {})
  }

  /** The session with the newest transaction that this connection has seen. */
  get session(): SessionState {
    return this.#session
  }

  async opened(): Promise<void> {
    await this.#open.promise
    const { credentials } = this.#deps
    if (credentials === undefined) return
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    this.#authorised = { resolve, reject }
    const header = new Writer().int(XID.auth).int(OP.auth)
    this.#send(header.int(0).text('digest').text(credentials))
    await promise
  }

  /** Sends a request. Rejects with a `Refusal`, or with LOCK_* if the connection ended before the response. */
  request(op: number, content: Buffer): Promise<Reply> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    this.#xid = (this.#xid % 0x7fff_ffff) + 1
    this.#pending.push({ xid: this.#xid, sentMs: this.#now(), resolve, reject })
    this.#send(new Writer().int(this.#xid).int(op), content)
    return promise
  }

  /** Resolves with the number of the next event about the node, or with `undefined` when the connection has ended. */
  nextEvent(path: string): Promise<number | undefined> {
    if (this.#error !== undefined) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#watchers.set(path, resolve)
    })
  }

  /** Ends the wait for an event about the node. */
  ignore(path: string): void {
    this.#watchers.delete(path)
  }

  /** Returns the end of a lease that was granted by a write of this time. The session cannot end before it. */
  leaseEndMs(sentMs: number): number {
    return this.#touches.leaseEndMs(sentMs, this.#session.ms)
  }

  failure(cause: unknown): Error {
    if (cause instanceof SessionExpired) return cause
    const { host, port } = this.#address
    return connectionFailure(`${host}:${port}`, cause, this.#isOpen, this.#deps.tls !== undefined)
  }

  [Symbol.dispose](): void {
    this.#close(new Error('the connection was closed'))
  }

  #now(): number {
    return this.#deps.clock.monotonicMs()
  }

  #begin(): void {
    const { id, password, ms, zxid } = this.#session
    this.#send(new Writer().int(0).long(zxid).int(ms).long(id).bytes(password).bool(false))
  }

  /** Sends what one turn of the event loop collected in one packet. */
  #send(header: Writer, content: Buffer = Buffer.alloc(0)): void {
    const start = header.content()
    this.#outgoing.push(new Writer().int(start.length + content.length).content(), start, content)
    if (this.#outgoing.length > 3) return
    queueMicrotask(() => {
      const bytes = Buffer.concat(this.#outgoing)
      this.#outgoing = []
      if (this.#error === undefined) this.#socket.write(bytes)
    })
  }

  #received(data: Buffer): void {
    try {
      for (const frame of this.#frames.add(data)) {
        if (this.#isOpen) this.#reply(new Reader(frame))
        else this.#welcome(new Reader(frame))
      }
    } catch (thrown) {
      this.#close(thrown)
    }
  }

  #welcome(reader: Reader): void {
    reader.int() // version of the protocol
    const ms = reader.int()
    const id = reader.long()
    const password = reader.bytes()
    if (ms <= 0 || id === 0n) throw new SessionExpired('the servers have ended the session')
    this.#session = { ...this.#session, id, ms, password: Buffer.from(password) }
    this.#isOpen = true
    this.#open.resolve()
    this.#schedule()
  }

  #reply(reader: Reader): void {
    const xid = reader.int()
    const zxid = reader.long()
    const code = reader.int()
    if (zxid > this.#session.zxid) this.#session = { ...this.#session, zxid }
    if (xid === XID.event) return this.#event(reader)
    if (xid === XID.ping) return this.#pinged()
    const pending = xid === XID.auth ? this.#authorised : this.#pending.shift()
    if (pending === undefined || ('xid' in pending && pending.xid !== xid))
      throw new Error('a response is out of order')
    if (code === 0) pending.resolve({ zxid, body: reader })
    else pending.reject(new Refusal(code))
  }

  #event(reader: Reader): void {
    const kind = reader.int()
    reader.int() // state of the connection
    const path = reader.text()
    const watcher = this.#watchers.get(path)
    this.#watchers.delete(path)
    watcher?.(kind)
  }

  #pinged(): void {
    const sentMs = this.#pings.shift()
    if (sentMs !== undefined) this.#touches.answered(sentMs, this.#now(), this.#session.ms)
  }

  /** Pings twice within the time after which a server counts as silent. */
  #schedule(): void {
    const everyMs = silentMs(this.#session.ms) / 2
    const dueMs = this.#now() + everyMs
    this.#timer = this.#deps.clock.timer(everyMs, () => this.#tick(everyMs, dueMs))
  }

  #tick(everyMs: number, dueMs: number): void {
    const nowMs = this.#now()
    const oldestMs = Math.min(this.#pings[0] ?? nowMs, this.#pending[0]?.sentMs ?? nowMs)
    // after a pause of this process, responses may wait to be read
    const wasPaused = nowMs - dueMs > everyMs
    if (!wasPaused && nowMs - oldestMs > 2 * everyMs) {
      return this.#close(new Error(`no response within ${Math.round(2 * everyMs)} ms`))
    }
    this.#pings.push(nowMs)
    this.#send(new Writer().int(XID.ping).int(OP.ping))
    this.#schedule()
  }

  /** Ends the connection. Only the first call has an effect. */
  #close(cause: unknown): void {
    if (this.#error !== undefined) return
    const error = this.failure(cause)
    this.#error = error
    this.#timer?.cancel()
    this.#socket.destroy()
    this.#open.reject(error)
    this.#authorised?.reject(error)
    const [pending, watchers] = [this.#pending, [...this.#watchers.values()]]
    this.#pending = []
    this.#watchers.clear()
    for (const { reject } of pending) reject(error)
    for (const resolve of watchers) resolve(undefined)
    this.#end.resolve()
  }
}
