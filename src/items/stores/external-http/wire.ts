/**
 * HTTP calls of the store, on keep-alive connections. Uses Node's own client instead of `fetch`: a burst of calls takes
 * a third of the time, and a response that is too long is refused before it is completely in memory. Redirects are not
 * followed: their status is returned.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Clock } from '../../../std/clock.ts'
import { peerCertificates } from '../../../std/peer-certificates.ts'

/** Maximum length of a response in bytes. */
const MAX_RESPONSE_BYTES = 16 * 1_024 * 1_024

/**
 * Idle time after which a connection is closed, in milliseconds. It is shorter than in most servers, so that no call
 * uses a connection that the server is closing.
 */
const IDLE_MS = 4_000

export interface WireCall {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface WireResponse {
  readonly status: number
  readonly media: string
  readonly body: Buffer
}

export interface Wire {
  /** Rejects if there is no complete response in time. The call may have taken effect nevertheless. */
  exchange(call: WireCall): Promise<WireResponse>
  /** Closes all connections. */
  close(): void
}

export interface WireOptions {
  /** `undefined`: no TLS. `ca`: PEM certificates. Default: the authorities that Node trusts. */
  readonly tls: { readonly ca?: string } | undefined
  /** Time limit of a call, in milliseconds. */
  readonly timeoutMs: number
  readonly clock: Clock
}

export function createWire({ tls, timeoutMs, clock }: WireOptions): Wire {
  const options = { keepAlive: true, timeout: IDLE_MS }
  const agent =
    tls === undefined
      ? new HttpAgent(options)
      : new HttpsAgent({ ...options, ...tls, ...peerCertificates.watch('store') })
  const request = tls === undefined ? httpRequest : httpsRequest

  async function exchange({ method, url, headers, body, signal }: WireCall): Promise<WireResponse> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<WireResponse>()
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { agent, method, headers: { ...headers, ...length } })
    sent.on('error', reject)
    sent.on('response', (response) => void readResponse(response).then(resolve, reject))
    const giveUp = (reason: unknown): void => {
      reject(reason)
      sent.destroy()
    }
    const abort = (): void => giveUp(signal?.reason)
    const deadline = clock.timer(timeoutMs, () => giveUp(new Error(`no response within ${timeoutMs} ms`)))
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

function readResponse(response: IncomingMessage): Promise<WireResponse> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let bytes = 0
    response.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > MAX_RESPONSE_BYTES)
        response.destroy(new Error(`the response has more than ${MAX_RESPONSE_BYTES} bytes`))
      else parts.push(part)
    })
    response.on('error', reject)
    response.on('end', () => {
      const media = response.headers['content-type'] ?? ''
      resolve({ status: response.statusCode ?? 0, media, body: Buffer.concat(parts) })
    })
  })
}
