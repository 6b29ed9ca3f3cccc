/**
 * Calls of the http store, on connections that are kept. Node's own client instead of `fetch`: a burst of calls takes it
 * a third of the time, and an answer that is too long is refused before all of it is in memory. Redirects are not followed:
 * their status is the answer.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Clock } from '../../../std/clock.ts'

/** Longest answer that is read, bytes. */
const MAX_ANSWER_BYTES = 16 * 1_024 * 1_024

/** Idle connections end before most servers end them, so that no call meets one that is just being closed. */
const IDLE_MS = 4_000

export interface WireCall {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface WireAnswer {
  readonly status: number
  readonly media: string
  readonly body: Buffer
}

export interface Wire {
  /** Rejects when there is no whole answer in time, also when the call may have done its work. */
  exchange(call: WireCall): Promise<WireAnswer>
  /** Ends all connections. */
  close(): void
}

export interface WireOptions {
  /** Absent: no TLS. `ca` in PEM. Default: the authorities that Node knows. */
  readonly tls: { readonly ca?: string } | undefined
  /** Longest time of a call, milliseconds. */
  readonly timeoutMs: number
  readonly clock: Clock
}

export function createWire({ tls, timeoutMs, clock }: WireOptions): Wire {
  const options = { keepAlive: true, timeout: IDLE_MS }
  const agent = tls === undefined ? new HttpAgent(options) : new HttpsAgent({ ...options, ...tls })
  const request = tls === undefined ? httpRequest : httpsRequest

  async function exchange({ method, url, headers, body, signal }: WireCall): Promise<WireAnswer> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>()
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { agent, method, headers: { ...headers, ...length } })
    sent.on('error', reject)
    sent.on('response', (response) => void readAnswer(response).then(resolve, reject))
    const giveUp = (reason: unknown): void => {
      reject(reason)
      sent.destroy()
    }
    const abort = (): void => giveUp(signal?.reason)
    const deadline = clock.timer(timeoutMs, () => giveUp(new Error(`no answer within ${timeoutMs} ms`)))
    signal?.addEventListener('abort', abort, { once: true })
    sent.end(body)
    try {
      return await promise
    } finally {
      deadline.cancel()
      signal?.removeEventListener('abort', abort)
    }
  }

  return { exchange, close: () => agent.destroy() }
}

function readAnswer(response: IncomingMessage): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let bytes = 0
    response.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > MAX_ANSWER_BYTES) response.destroy(new Error(`it answered more than ${MAX_ANSWER_BYTES} bytes`))
      else parts.push(part)
    })
    response.on('error', reject)
    response.on('end', () => {
      const media = response.headers['content-type'] ?? ''
      resolve({ status: response.statusCode ?? 0, media, body: Buffer.concat(parts) })
    })
  })
}
