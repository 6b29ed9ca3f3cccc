/** Writes a response as fast as its reader takes it. Fails after a deadline if the reader takes nothing. */
import type { ServerResponse } from 'node:http'
import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'

export interface ResponseWriter {
  /**
   * Resolves when more can be written. Rejects with IngotError READ_STALLED if the reader takes nothing, CLIENT_GONE if
   * it left.
   */
  write(text: string): Promise<void>
}

export function createResponseWriter(response: ServerResponse, clock: Clock, stallMs: number): ResponseWriter {
  return {
    async write(text) {
      if (response.destroyed) throw gone()
      if (text === '' || response.write(text)) return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const closed = (): void => reject(gone())
      const timer = clock.timer(stallMs, () =>
        reject(new IngotError('READ_STALLED', `no answer was read for ${stallMs} ms`)),
      )
      response.once('drain', resolve).once('close', closed)
      try {
        await promise
      } finally {
        timer.cancel()
        response.off('drain', resolve).off('close', closed)
      }
    },
  }
}

function gone(): IngotError {
  return new IngotError('CLIENT_GONE', 'the client closed the connection')
}
