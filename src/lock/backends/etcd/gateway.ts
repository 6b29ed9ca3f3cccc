/**
 * HTTP to the JSON gateway of etcd. 64-bit numbers are texts, and fields that are 0, false or empty are absent. A server
 * that refuses, breaks or does not respond in time is left for the next one.
 */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { type ErrorCode, IngotError, reasonOf } from '../../../errors/error.ts'
import type { Clock } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import { peerCertificates } from '../../../std/peer-certificates.ts'
import { isTlsFailure } from '../../../std/tls-failure.ts'
import type { ServiceUrl, TlsFiles } from '../../service-url.ts'

export type Json = Readonly<Record<string, unknown>>

export interface Gateway extends Disposable {
  /** Calls a method such as `kv/txn`. Rejects with a code LOCK_*. */
  call(method: string, body: Json): Promise<Json>
  /** Calls a method that streams, and resolves with the first response that `until` accepts, or when the stream ends. */
  first(method: string, body: Json, until: (response: Json) => boolean, signal: AbortSignal): Promise<void>
}

/** Longest time for one response, in milliseconds. */
const ANSWER_MS = 1_000
const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Messages of etcd about credentials and rights. Source: api/v3rpc/rpctypes/error.go. */
const ACCESS =
  /permission denied|authentication|invalid user ID or password|user name is empty|auth token|user name not found/
const STALE_TOKEN = /invalid auth token|revision of auth store is old/

export function createGateway(url: ServiceUrl, tls: TlsFiles | undefined, clock: Clock): Gateway {
  return new HttpGateway(url, tls, clock)
}

class HttpGateway implements Gateway {
  readonly #url: ServiceUrl
  readonly #tls: TlsFiles | undefined
  readonly #clock: Clock
  readonly #agent: http.Agent
  #server = 0
  #token: string | undefined

  constructor(url: ServiceUrl, tls: TlsFiles | undefined, clock: Clock) {
    this.#url = url
    this.#tls = tls
    this.#clock = clock
    const settings = { keepAlive: true, maxSockets: 128, maxFreeSockets: 8 }
    this.#agent =
      tls === undefined
        ? new http.Agent(settings)
        : new https.Agent({ ...settings, ...tls, ...peerCertificates.watch('etcd') })
  }

  async call(method: string, body: Json): Promise<Json> {
    try {
      return await this.#authorised(method, body)
    } catch (thrown) {
      if (!(thrown instanceof IngotError) || !STALE_TOKEN.test(thrown.message)) throw thrown
      this.#token = undefined
      return this.#authorised(method, body)
    }
  }

  async first(method: string, body: Json, until: (response: Json) => boolean, signal: AbortSignal): Promise<void> {
    const response = await this.#open(method, body, signal)
    let text = ''
    for await (const chunk of bytesOf(response)) {
      text += chunk.toString()
      if (text.length > MAX_BODY_BYTES) return
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      if (lines.some((line) => until(parsed(line)))) return void response.destroy()
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #authorised(method: string, body: Json): Promise<Json> {
    const { user, password } = this.#url
    if (user !== undefined && this.#token === undefined) {
      const { token } = await this.#exchange('auth/authenticate', { name: user, password })
      this.#token = String(token)
    }
    return this.#exchange(method, body)
  }

  async #exchange(method: string, body: Json): Promise<Json> {
    const at = this.#server
    const timeoutError = (): Error => this.#failure(at, new Error(`no response within ${ANSWER_MS} ms`))
    using deadline = createDeadline({ clock: this.#clock, ms: ANSWER_MS, timeoutError, keepsAlive: true })
    try {
      const response = await this.#open(method, body, deadline.signal)
      const text = await textOf(response)
      if (response.statusCode === 200) return parsed(text)
      throw this.#refusal(at, method, response.statusCode ?? 0, parsed(text))
    } catch (thrown) {
      if (thrown instanceof IngotError && thrown.code !== 'LOCK_BACKEND_UNAVAILABLE') throw thrown
      // the next call goes to another server, unless another call has moved on already
      if (this.#server === at) this.#server = (at + 1) % this.#url.servers.length
      if (deadline.signal.aborted) throw deadline.signal.reason
      throw thrown instanceof IngotError ? thrown : this.#failure(at, thrown)
    }
  }

  #open(method: string, body: Json, signal: AbortSignal): Promise<IncomingMessage> {
    const { host = '', port = 0 } = this.#url.servers[this.#server] ?? {}
    const content = Buffer.from(JSON.stringify(body))
    const authorization = this.#token === undefined ? {} : { authorization: this.#token }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const request = (this.#tls === undefined ? http : https).request({
      host,
      port,
      agent: this.#agent,
      method: 'POST',
      path: `/v3/${method}`,
      signal,
      headers: { 'content-type': 'application/json', 'content-length': content.length, ...authorization },
    })
    request.once('response', resolve)
    request.once('error', reject)
    request.end(content)
    return promise
  }

  #where(at: number): string {
    const { host = '', port = 0 } = this.#url.servers[at] ?? {}
    return `etcd ${host}:${port}`
  }

  #refusal(at: number, method: string, status: number, { message, error, code }: Json): IngotError {
    const reason = typeof message === 'string' ? message : typeof error === 'string' ? error : `status ${status}`
    if (method === 'maintenance/status' && status === 404 && code === undefined) {
      return new IngotError('LOCK_UNSUITABLE', `${this.#where(at)}: its JSON gateway is off (--enable-grpc-gateway)`)
    }
    const kind: ErrorCode = ACCESS.test(reason) ? 'LOCK_ACCESS_REFUSED' : 'LOCK_BACKEND_UNAVAILABLE'
    return new IngotError(kind, `${this.#where(at)}: ${reason}`)
  }

  #failure(at: number, cause: unknown): IngotError {
    // a server that expects TLS ends the connection, or sends an alert that is no HTTP
    const isTls = isTlsFailure(cause) || /wrong version number|Client sent an HTTP request/.test(reasonOf(cause))
    const code: ErrorCode = isTls ? 'LOCK_TLS_FAILED' : 'LOCK_BACKEND_UNAVAILABLE'
    // a server with TLS ends such a connection without a word, and so does one that is being stopped
    const isHungUp = this.#tls === undefined && reasonOf(cause) === 'socket hang up'
    const hint = isHungUp ? ' (if the server uses TLS, the URL must begin with etcds://)' : ''
    return new IngotError(code, `${this.#where(at)}: ${reasonOf(cause)}${hint}`, { cause })
  }
}

function parsed(text: string): Json {
  try {
    const value: unknown = JSON.parse(text)
    return isJson(value) ? value : {}
  } catch {
    return { message: text.trim().slice(0, 200) }
  }
}

/** Returns true for an object. */
export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of bytesOf(response)) {
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) throw new Error(`the response is longer than ${MAX_BODY_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

async function* bytesOf(response: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const chunk of response) if (Buffer.isBuffer(chunk)) yield chunk
}
