/**
 * Requests to a service over node:http, which sends and receives at once: a stream of items is answered while it is
 * sent, and `fetch` would read no answer before the end of the body.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { IngotError, reasonOf, toIngotError } from '../errors/error.ts'
import { abortable } from '../std/abort.ts'
import { printableLine } from '../std/printable.ts'
import { isTlsFailure } from '../std/tls-failure.ts'
import { isRetryable, parseProblem } from './answers.ts'
import { toBuffer } from './chunk.ts'

/** A running service, as a client knows it. */
export interface Service {
  /** http or https; a path is kept as a prefix. */
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
   * The answer, once its head says 200.
   * @throws IngotError REMOTE_REFUSED when it says anything final, REMOTE_UNREACHABLE when asking again may help
   */
  response(signal: AbortSignal): Promise<IncomingMessage>
  close(): void
}

/** Nothing is sent before the first write or the end of `request`. A connection of its own, never one from a pool. */
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
    // stays for the whole request: what comes after the response shows in reading it
    request.on('error', (cause) => reject(unreachable(url, cause)))
    request.once('close', () => reject(unreachable(url, new Error('the connection was closed'))))
  })
  // whoever asks for the response meets its failure; nobody may ask
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

/** The body of an answer. @throws IngotError REMOTE_UNREACHABLE when the connection ends before the body does */
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

/** What went wrong with a connection; certificates do not get better by asking again. */
function unreachable(url: URL, cause: unknown): IngotError {
  if (cause instanceof IngotError) return cause
  const why = printableLine(reasonOf(cause).trim())
  if (speaksNoTls(cause)) {
    const message = `${url.origin} speaks no TLS: write http://${url.host}, or the port that serves https`
    return new IngotError('REMOTE_REFUSED', message, { cause })
  }
  if (isTlsFailure(cause)) {
    const message = `no trusted connection to ${url.origin}: ${why}; NODE_EXTRA_CA_CERTS=FILE adds authorities of your own`
    return new IngotError('REMOTE_REFUSED', message, { cause })
  }
  return new IngotError('REMOTE_UNREACHABLE', `no connection to ${url.origin}: ${why}`, { cause })
}

/** What OpenSSL says when the first bytes of the other side are no TLS record. */
function speaksNoTls(cause: unknown): boolean {
  return cause instanceof Error && /wrong version number|packet length too long/i.test(cause.message)
}

/** Enough for any problem body. */
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

/** Statuses of proxies and overloads, whatever their body says. */
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
    // what came of the body is all that there is to show
  }
  return Buffer.concat(chunks).toString('utf8')
}
