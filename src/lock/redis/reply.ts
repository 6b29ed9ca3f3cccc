/** What the scripts answer, from the wire into types. A reply of another form is a broken server or a broken build. */
import { Fault } from '../../std/fault.ts'
import { composeFence } from '../fence-store.ts'
import type { Inspection } from '../lock.ts'

/** One lock's part of what acquire.lua returns. */
export type Answer =
  | { readonly kind: 'granted'; readonly epoch: bigint; readonly counter: bigint }
  | { readonly kind: 'repeated'; readonly epoch: bigint; readonly counter: bigint; readonly remainingMs: number }
  | { readonly kind: 'held'; readonly remainingMs: number }
  | { readonly kind: 'vacant'; readonly claim: string; readonly storedEpoch: number }
  | { readonly kind: 'demoted' }

const FIELDS = 3

function malformed(reply: unknown): Fault {
  return new Fault('INTERNAL', `a lock script answered ${JSON.stringify(reply) ?? 'nothing'}`)
}

/** "epoch:counter". */
function readFence(text: string): { readonly epoch: bigint; readonly counter: bigint } {
  const match = /^(\d+):(\d+)$/.exec(text)
  if (match === null) throw malformed(text)
  return { epoch: BigInt(match[1] ?? ''), counter: BigInt(match[2] ?? '') }
}

function readText(kind: unknown, text: string, number: number): Answer {
  if (kind === 4) return { kind: 'repeated', ...readFence(text), remainingMs: number }
  if (kind === 2) return { kind: 'vacant', claim: text, storedEpoch: number }
  throw malformed([kind, text, number])
}

function readAnswer(kind: unknown, a: unknown, b: unknown): Answer {
  if (typeof b !== 'number') throw malformed([kind, a, b])
  if (typeof a === 'string') return readText(kind, a, b)
  if (typeof a !== 'number') throw malformed([kind, a, b])
  if (kind === 1) return { kind: 'granted', epoch: BigInt(a), counter: BigInt(b) }
  if (kind === 0) return { kind: 'held', remainingMs: a }
  if (kind === 3) return { kind: 'demoted' }
  throw malformed([kind, a, b])
}

export function readAnswers(reply: unknown): readonly Answer[] {
  if (!Array.isArray(reply) || reply.length % FIELDS !== 0) throw malformed(reply)
  return Array.from({ length: reply.length / FIELDS }, (_, i) =>
    readAnswer(reply[FIELDS * i], reply[FIELDS * i + 1], reply[FIELDS * i + 2]),
  )
}

/** What inspect.lua returns. */
export function readHolder(reply: unknown): Inspection {
  if (!Array.isArray(reply)) throw malformed(reply)
  const value: unknown = reply[0]
  const remainingMs: unknown = reply[1]
  if (typeof value !== 'string' || value.startsWith('?')) return { kind: 'free' }
  const { epoch, counter } = readFence(value.slice(value.indexOf(':') + 1))
  return {
    kind: 'held',
    remainingMs: typeof remainingMs === 'number' && remainingMs >= 0 ? remainingMs : undefined,
    fence: composeFence(epoch, counter),
  }
}
