/** What the scripts answer, from the wire into types. A reply of another form is a broken server or a broken build. */
import { Fault } from '../../std/fault.ts'
import type { Inspection } from '../lock.ts'

/** One lock's part of what acquire.lua returns. */
export type Answer =
  | { readonly kind: 'granted'; readonly fence: bigint }
  | { readonly kind: 'repeated'; readonly fence: bigint; readonly remainingMs: number }
  | { readonly kind: 'held'; readonly remainingMs: number }
  | { readonly kind: 'vacant'; readonly claim: string; readonly storedEpoch: number }
  | { readonly kind: 'demoted' }
  | { readonly kind: 'exhausted' }

const FIELDS = 3

function malformed(reply: unknown): Fault {
  return new Fault('INTERNAL', `a lock script answered ${JSON.stringify(reply) ?? 'nothing'}`)
}

function readFence(text: string): bigint {
  if (!/^\d+$/.test(text)) throw malformed(text)
  return BigInt(text)
}

function readText(kind: unknown, text: string, number: number): Answer {
  if (kind === 1) return { kind: 'granted', fence: readFence(text) }
  if (kind === 4) return { kind: 'repeated', fence: readFence(text), remainingMs: number }
  if (kind === 2) return { kind: 'vacant', claim: text, storedEpoch: number }
  throw malformed([kind, text, number])
}

function readAnswer(kind: unknown, a: unknown, b: unknown): Answer {
  if (typeof b !== 'number') throw malformed([kind, a, b])
  if (typeof a === 'string') return readText(kind, a, b)
  if (kind === 0 && typeof a === 'number') return { kind: 'held', remainingMs: a }
  if (kind === 3) return { kind: 'demoted' }
  if (kind === 5) return { kind: 'exhausted' }
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
  return {
    kind: 'held',
    remainingMs: typeof remainingMs === 'number' && remainingMs >= 0 ? remainingMs : undefined,
    fence: readFence(value.slice(value.indexOf(':') + 1)),
  }
}
