/**
 * Receives a complete body within its limits: its own bytes, the bytes of all bodies together, the longest pause, and
 * the longest total time. Streams have their own limits (stream.ts).
 */
import type { Readable } from 'node:stream'
import { IngotError } from '../../errors/error.ts'
import type { Clock, Timer } from '../../std/clock.ts'
import { createBodyBuffer } from './body-buffer.ts'
import type { ReceiveLease } from './receive-budget.ts'

export interface ReceiveLimits {
  readonly maxBytes: number
  /** Longest pause between two chunks, in milliseconds. */
  readonly idleMs: number
  /** Longest time from the head of the request to the end of its body, in milliseconds. */
  readonly totalMs: number
}

export interface Receiving extends ReceiveLimits {
  readonly clock: Clock
  readonly lease: ReceiveLease
  /** Value of the Content-Length header field. */
  readonly contentLength: string | undefined
}

/**
 * Resolves with the complete body. Rejects with IngotError CONTENT_TOO_LARGE, OVERLOADED, BODY_STALLED, REQUEST_INVALID
 * (the body does not have the announced length) or CLIENT_GONE. The lease stays charged until its owner closes it.
 */
export async function receiveBody(payload: Readable, receiving: Receiving): Promise<Buffer> {
  const { clock, lease, maxBytes, contentLength } = receiving
  const announced = contentLength === undefined ? undefined : Number(contentLength)
  const body = createBodyBuffer({ announced, reserve: (bytes) => lease.resize(bytes) })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const pace = watchPace(clock, receiving, reject)
  const take = (chunk: Buffer): void => {
    try {
      if (body.length + chunk.length > maxBytes) throw tooLarge(maxBytes)
      body.append(chunk)
      pace.moved()
    } catch (refused) {
      reject(refused)
    }
  }
  const gone = (cause?: unknown): void =>
    reject(new IngotError('CLIENT_GONE', 'the client closed the connection', { cause }))
  payload.on('data', take).once('end', resolve).once('error', gone).once('close', gone)
  try {
    await promise
  } finally {
    pace.end()
    payload.off('data', take).off('end', resolve).off('close', gone)
  }
  if (announced !== undefined && announced !== body.length) {
    throw new IngotError('REQUEST_INVALID', 'the body is not as long as Content-Length says')
  }
  return body.toBuffer()
}

interface Pace {
  moved(): void
  end(): void
}

/** One timer serves both limits. It is set again when it fires early, not at every chunk. */
function watchPace(clock: Clock, { idleMs, totalMs }: ReceiveLimits, late: (error: IngotError) => void): Pace {
  const startedMs = clock.monotonicMs()
  let movedMs = startedMs
  const check = (): void => {
    const nowMs = clock.monotonicMs()
    const idleLeft = movedMs + idleMs - nowMs
    const totalLeft = startedMs + totalMs - nowMs
    if (idleLeft <= 0) return late(new IngotError('BODY_STALLED', `no data came for ${idleMs} ms (bodyIdle)`))
    if (totalLeft <= 0)
      return late(new IngotError('BODY_STALLED', `the body did not end within ${totalMs} ms (bodyTime)`))
    timer = clock.timer(Math.min(idleLeft, totalLeft), check)
  }
  let timer: Timer = clock.timer(Math.min(idleMs, totalMs), check)
  return {
    moved: () => void (movedMs = clock.monotonicMs()),
    end: () => timer.cancel(),
  }
}

function tooLarge(maxBytes: number): IngotError {
  return new IngotError('CONTENT_TOO_LARGE', `the body has more than ${maxBytes} bytes`, { facts: { limit: maxBytes } })
}
