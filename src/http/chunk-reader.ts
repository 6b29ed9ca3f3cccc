/** A request body chunk by chunk, where waiting for the next one ends with a deadline or a signal. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../std/clock.ts'
import { Fault } from '../std/fault.ts'

export interface ChunkReader {
  /** The next chunk, or undefined at the end. Rejects with the signal's reason, or Fault BODY_STALLED. */
  next(signal: AbortSignal): Promise<Buffer | undefined>
}

export function createChunkReader(body: IncomingMessage, clock: Clock, idleMs: number): ChunkReader {
  const chunks = body[Symbol.asyncIterator]()
  return {
    async next(signal) {
      signal.throwIfAborted()
      const { promise: interrupted, reject } = Promise.withResolvers<never>()
      const timer = clock.timer(idleMs, () => reject(new Fault('BODY_STALLED', `no data came for ${idleMs} ms`)))
      const abort = (): void => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      try {
        const result: IteratorResult<Buffer, undefined> = await Promise.race([chunks.next(), interrupted])
        return result.done === true ? undefined : result.value
      } finally {
        timer.cancel()
        signal.removeEventListener('abort', abort)
      }
    },
  }
}
