/**
 * Responds to a request whose body is not read to its end. If the connection were closed at once, the operating system
 * would reset it when more of the body arrives, often before the client has read the response. So the response is sent
 * completely, the rest of the body is dropped for a short time, and then the connection is closed.
 */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Clock } from '../../std/clock.ts'

/** How long the rest of a refused body is dropped, in milliseconds. */
const LINGER_MS = 500

/** Returns true if more of the body is to come. */
export function isUnread(request: IncomingMessage): boolean {
  const { headers, complete, readableEnded, destroyed } = request
  if (complete || readableEnded || destroyed) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * Resolves when the body has ended, the client is gone, or LINGER_MS have passed. Drops the data that comes until then.
 */
export async function dropRest(request: IncomingMessage, clock: Clock): Promise<void> {
  const over = new AbortController()
  const end = (): void => over.abort()
  request.once('end', end).once('close', end).once('error', end)
  request.resume()
  await clock.sleep(LINGER_MS, over.signal).catch(() => {})
}

/** Returns the response as a stream that ends when the rest of the body has been dropped. */
export function lingeringResponse(body: string, request: IncomingMessage, clock: Clock): Readable {
  async function* parts(): AsyncGenerator<string> {
    yield body
    await dropRest(request, clock)
  }
  return Readable.from(parts())
}
