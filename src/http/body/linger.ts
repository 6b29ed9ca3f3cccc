/**
 * Answers a request whose body is not read to its end. If the connection were closed at once, the rest that is on its
 * way would make the system reset it, often before the client has read the answer. So the answer goes out whole, what
 * still comes is dropped for a moment, and only then the connection closes.
 */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Clock } from '../../std/clock.ts'

/** How long the rest of a refused body is taken in, milliseconds. */
const LINGER_MS = 500

/** Whether more of the body is to come. */
export function isUnread(request: IncomingMessage): boolean {
  const { headers, complete, readableEnded, destroyed } = request
  if (complete || readableEnded || destroyed) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Resolves when the body has ended, the client is gone, or LINGER_MS have passed. Drops what comes until then. */
export async function dropRest(request: IncomingMessage, clock: Clock): Promise<void> {
  const over = new AbortController()
  const end = (): void => over.abort()
  request.once('end', end).once('close', end).once('error', end)
  request.resume()
  await clock.sleep(LINGER_MS, over.signal).catch(() => {})
}

/** The answer as a stream that ends when the rest has been dropped. */
export function lingeringAnswer(body: string, request: IncomingMessage, clock: Clock): Readable {
  async function* parts(): AsyncGenerator<string> {
    yield body
    await dropRest(request, clock)
  }
  return Readable.from(parts())
}
