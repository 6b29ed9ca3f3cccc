/** A deadline for bodies that are read whole before they are answered. Streams see to their own (chunk-reader.ts). */
import type { preParsingHookHandler } from 'fastify'
import type { Clock } from '../std/clock.ts'
import { Fault } from '../std/fault.ts'

/** Refuses a body with Fault BODY_STALLED when nothing of it comes for `idleMs`. */
export function bodyDeadline(clock: Clock, idleMs: number): preParsingHookHandler {
  return (request, _reply, payload, done) => {
    const stalled = (): void => void payload.emit('error', new Fault('BODY_STALLED', `no data came for ${idleMs} ms`))
    let timer = clock.timer(idleMs, stalled)
    const moved = (): void => {
      timer.cancel()
      timer = clock.timer(idleMs, stalled)
    }
    const over = (): void => {
      timer.cancel()
      payload.off('data', moved).off('end', over).off('error', over)
      request.raw.off('close', over)
    }
    payload.on('end', over).on('error', over)
    request.raw.on('close', over)
    // last: it sets the body flowing, and the framework listens as soon as this returns
    payload.on('data', moved)
    done()
  }
}
