/**
 * Listens on one channel of a Postgres server, on a connection of its own. A transaction pooler accepts LISTEN and
 * delivers nothing, so a pooler is detected and refused. Reconnects by itself. A server that stops responding is noticed
 * by a query every second.
 */
import { Socket } from 'node:net'
import pg from 'pg'
import { type ErrorCode, IngotError, reasonOf } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'

export interface ListenerOptions {
  /** `postgres://…`, without a pooler. */
  readonly url: string
  /** The code of the errors that failures become. */
  readonly errorCode: ErrorCode
  /** Letters, digits and `_`, at most 63. */
  readonly channel: string
  readonly clock: Clock
  /** Called with each message. */
  readonly message: (payload: string) => void
  /** Called when messages may have been missed. */
  readonly gap: () => void
}

export interface Listener extends AsyncDisposable {
  /** True while messages arrive. */
  readonly listening: boolean
}

/** Time between two checks of the connection, and between two connections, in milliseconds. */
const CHECK_MS = 1_000
/** Longest time for a connection, and for the response to a check, in milliseconds. */
const ANSWER_MS = 2_000

/** Resolves when it listens, and with undefined behind a pooler. Rejects with the error code if the server cannot be used. */
export async function listen(options: ListenerOptions): Promise<Listener | undefined> {
  const listener = new ReconnectingListener(options)
  try {
    return (await listener.start()) ? listener : undefined
  } catch (cause) {
    await listener[Symbol.asyncDispose]()
    throw new IngotError(options.errorCode, `Postgres did not answer as it should: ${reasonOf(cause)}`, { cause })
  }
}

class ReconnectingListener implements Listener {
  listening = false
  readonly #options: ListenerOptions
  readonly #closing = new AbortController()
  #client: pg.Client | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  async start(): Promise<boolean> {
    const isDirect = await this.#connect()
    if (isDirect) this.#ended = this.#keep()
    else await this.#disconnect()
    return isDirect
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('closed'))
    await this.#disconnect()
    await this.#ended
  }

  /** The only place that reconnects: the driver reports one failure in several ways. */
  async #keep(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#pause()
        if (this.listening) await this.#client?.query('SELECT 1')
        else await this.#connect()
      } catch {
        await this.#disconnect()
      }
    }
  }

  async #connect(): Promise<boolean> {
    const { url, channel, message, gap } = this.#options
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
      keepAlive: true,
      fallback_application_name: 'ingot',
    })
    this.#client = client
    client.on('error', () => this.#broken(client))
    client.on('end', () => this.#broken(client))
    client.on('notification', ({ payload = '' }) => message(payload))
    await client.connect()
    // waiting callers keep the process alive, and an idle listener does not
    if (client.connection.stream instanceof Socket) client.connection.stream.unref()
    await client.query(`LISTEN "${channel}"`)
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    this.#closing.signal.throwIfAborted()
    // a pooler has process numbers of its own
    this.listening = 'processID' in client && rows[0]?.pid === client.processID
    gap()
    return this.listening
  }

  #broken(client: pg.Client): void {
    if (client !== this.#client || !this.listening) return
    this.listening = false
    this.#options.gap()
  }

  async #disconnect(): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    this.#broken(client)
    this.#client = undefined
    client.connection.stream.destroy()
    await client.end().catch(() => {})
  }

  #pause(): Promise<void> {
    const { clock } = this.#options
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        this.#closing.signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = clock.timer(CHECK_MS, done)
      this.#closing.signal.addEventListener('abort', done, { once: true })
    })
  }
}
