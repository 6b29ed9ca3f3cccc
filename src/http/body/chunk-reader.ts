/** Reads a request body chunk by chunk. The wait for the next chunk ends with a deadline or a signal. */
import type { IncomingMessage } from 'node:http'
import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'

export interface ChunkReader {
  /**
   * Resolves with the next chunk, or undefined at the end. Rejects with the signal's reason, with the error that `late`
   * returns after `withinMs`, or with IngotError CLIENT_GONE. Only one call at a time is allowed.
   */
  next(signal: AbortSignal, deadline: Deadline): Promise<Buffer | undefined>
}

interface Deadline {
  readonly withinMs: number
  readonly late: () => IngotError
}

/**
 * The body flows only during a call of `next`. An async iterator would destroy the body when its reader stops early.
 */
export function createChunkReader(body: IncomingMessage, clock: Clock): ChunkReader {
  // the next call reports an error between two calls; without a listener the error would end the process
  body.on('error', () => {})
  return {
    async next(signal, { withinMs, late }) {
      signal.throwIfAborted()
      if (body.readableEnded) return undefined
      if (body.destroyed) throw gone()
      const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>()
      const timer = clock.timer(withinMs, () => reject(late()))
      const abort = (): void => reject(signal.reason)
      const take = (chunk: Buffer): void => {
        body.pause()
        resolve(chunk)
      }
      const end = (): void => resolve(undefined)
      const fail = (cause?: unknown): void => reject(gone(cause))
      signal.addEventListener('abort', abort, { once: true })
      body.on('data', take).on('end', end).on('error', fail).on('close', fail)
      body.resume()
      try {
        return await promise
      } finally {
        timer.cancel()
        signal.removeEventListener('abort', abort)
        body.off('data', take).off('end', end).off('close', fail)
        body.off('error', fail)
      }
    },
  }
}

function gone(cause?: unknown): IngotError {
  return new IngotError('CLIENT_GONE', 'the client closed the connection', { cause })
}
