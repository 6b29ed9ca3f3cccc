/**
 * Sends requests over node:http, which sends and receives at the same time. A stream gets results while it is sent, and
 * `fetch` would return no response before the end of the body.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { IngotError, reasonOf, toIngotError } from '../errors/error.ts'
import { abortable } from '../std/abort.ts'
import { printableLine } from '../std/printable.ts'
import { isTlsFailure } from '../std/tls-failure.ts'
import { isRetryable, parseProblem } from './answers.ts'
import { toBuffer } from './chunk.ts'

/** The address of a running service, and the token for it. */
export interface Service {
  /** An http or https URL. Its path is kept as a prefix. */
  readonly url: URL
  /** Bearer token. */
  readonly token: string | undefined
}

export interface RequestOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Begins with a slash. */
  readonly path: string
  readonly headers: OutgoingHttpHeaders
}

export interface Connection {
  readonly request: ClientRequest
  /**
   * Resolves with the response if its status is 200. Rejects with IngotError REMOTE_REFUSED for a final refusal, and
   * with REMOTE_UNREACHABLE if a retry may help.
   */
  response(signal: AbortSignal): Promise<IncomingMessage>
  close(): void
}

/** Opens a new connection, never one from a pool. Nothing is sent before the first write or the end of `request`. */
export function connect(service: Service, options: RequestOptions): Connection {
  const { url, token } = service
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const request = send(new URL(url.pathname.replace(/\/$/, '') + options.path, url), {
    method: options.method,
    agent: false,
    headers: { ...options.headers, ...authorization },
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    // stays for the complete request: a failure after the response shows while reading it
    request.on('error', (cause) => reject(unreachable(url, cause)))
    request.once('close', () => reject(unreachable(url, new Error('the connection was closed'))))
  })
  // `response()` reports the failure, but it may never be called
  answered.catch(() => {})
  return {
    request,
    async response(signal) {
      const response = await abortable(answered, signal)
      if (response.statusCode === 200) return response
      throw await refusal(url, response, signal)
    },
    close: () => void request.destroy(),
  }
}

interface Reading {
  readonly url: URL
  readonly signal: AbortSignal
}

/** Yields the body of a response. Throws IngotError REMOTE_UNREACHABLE if the connection ends before the body does. */
export async function* chunksOf(response: IncomingMessage, { url, signal }: Reading): AsyncGenerator<Buffer> {
  const abort = (): void => void response.destroy(toIngotError(signal.reason))
  signal.addEventListener('abort', abort, { once: true })
  try {
    for await (const chunk of response) yield toBuffer(chunk)
  } catch (cause) {
    throw unreachable(url, cause)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Returns the error for a failed connection. A refused certificate is final, because retrying does not help. */
function unreachable(url: URL, cause: unknown): IngotError {
  if (cause instanceof IngotError) return cause
  const why = printableLine(reasonOf(cause).trim())
  if (speaksNoTls(cause)) {
    const message = `${url.origin} does not use TLS: write http://${url.host}, or the port that serves https`
    return new IngotError('REMOTE_REFUSED', message, { cause })
  }
  if (isTlsFailure(cause)) {
    const message = `no trusted connection to ${url.origin}: ${why}; NODE_EXTRA_CA_CERTS=FILE adds your own authorities`
    return new IngotError('REMOTE_REFUSED', message, { cause })
  }
  return new IngotError('REMOTE_UNREACHABLE', `no connection to ${url.origin}: ${why}`, { cause })
}

/** Returns true for OpenSSL's errors for a first record that is not TLS. */
function speaksNoTls(cause: unknown): boolean {
  return cause instanceof Error && /wrong version number|packet length too long/i.test(cause.message)
}

/** Maximum bytes that are read of a problem body. */
const MAX_BODY_BYTES = 65_536

async function refusal(url: URL, response: IncomingMessage, signal: AbortSignal): Promise<IngotError> {
  const { code, detail, title } = parseProblem(await abortable(bodyOf(response), signal))
  const status = response.statusCode ?? 0
  const said = [`answered ${status} ${code}`.trim(), detail, title].filter((part) => part !== '')
  const message = `${url.origin} ${said.join(': ')}`
  const passing = isRetryable(code) || PASSING.has(status)
  if (!passing) return new IngotError('REMOTE_REFUSED', message)
  const seconds = Number(response.headers['retry-after'])
  const facts = Number.isFinite(seconds) ? { retryAfterMs: seconds * 1_000 } : {}
  return new IngotError('REMOTE_UNREACHABLE', message, { facts })
}

/** Statuses of proxies and overloads, retryable whatever their body is. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 502, 503, 504])

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response) {
      const bytes = toBuffer(chunk)
      chunks.push(bytes)
      size += bytes.length
      if (size > MAX_BODY_BYTES) break
    }
  } catch {
    // the part of the body that arrived is shown
  }
  return Buffer.concat(chunks).toString('utf8')
}
