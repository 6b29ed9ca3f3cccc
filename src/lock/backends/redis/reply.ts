/** What the scripts answer, from the wire into types. A reply of another form is a broken server or a broken build. */
import { IngotError } from '../../../std/error.ts'
import type { Inspection, Release } from '../../lock.ts'

/** A fence that may not count before the client has confirmed an epoch for the server it is on. */
export interface MissingEpoch {
  readonly kind: 'missing-epoch'
  /** The replication id of the primary that answered. */
  readonly owner: string
  /** -1 when the fence has none. */
  readonly storedEpoch: number
  /** Whether this very server, in its present term, stored it. */
  readonly isOwn: boolean
  /** `undefined` when the fence has no data. */
  readonly line: string | undefined
}

/** One lock's part of what acquire.lua returns. */
export type Answer =
  | { readonly kind: 'granted'; readonly fence: bigint }
  | { readonly kind: 'repeated'; readonly fence: bigint; readonly remainingMs: number }
  | { readonly kind: 'held'; readonly remainingMs: number }
  | MissingEpoch
  | { readonly kind: 'demoted' }
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'foreign'; readonly which: ForeignKey }

/** Which of a lock's three keys has another type than ours. */
export type ForeignKey = 'lock' | 'fence' | 'queue'

function malformed(reply: unknown): IngotError {
  return new IngotError('INTERNAL', `a lock script answered ${JSON.stringify(reply) ?? 'nothing'}`)
}

function readFence(text: string): bigint {
  if (!/^\d+$/.test(text)) throw malformed(text)
  return BigInt(text)
}

function readNumber(text: string | undefined): number {
  const number = Number(text)
  if (text === undefined || text === '' || !Number.isSafeInteger(number)) throw malformed(text)
  return number
}

function readForeign(text: string): ForeignKey {
  if (text === 'lock' || text === 'fence' || text === 'queue') return text
  throw malformed(text)
}

function readMissingEpoch(word: string): MissingEpoch {
  const [, owner = '', epoch, own, line] = word.split(',')
  if (owner === '' || line === undefined) throw malformed(word)
  return {
    kind: 'missing-epoch',
    owner,
    storedEpoch: readNumber(epoch),
    isOwn: own === '1',
    line: line === '' ? undefined : line,
  }
}

/** One lock's word. */
function readAnswer(word: string): Answer {
  if (word.startsWith('1,')) return { kind: 'granted', fence: readFence(word.slice(2)) }
  const [kind = '', a = '', b] = word.split(',')
  switch (kind) {
    case '4':
      return { kind: 'repeated', fence: readFence(a), remainingMs: readNumber(b) }
    case '0':
      return { kind: 'held', remainingMs: readNumber(a) }
    case '2':
      return readMissingEpoch(word)
    case '3':
      return { kind: 'demoted' }
    case '5':
      return { kind: 'exhausted' }
    case '6':
      return { kind: 'foreign', which: readForeign(a) }
    default:
      throw malformed(word)
  }
}

/** What acquire.lua returns for `count` locks. */
export function readAnswers(reply: unknown, count: number): readonly Answer[] {
  if (typeof reply !== 'string') throw malformed(reply)
  const words = count === 1 ? [reply] : reply.split(' ')
  if (words.length !== count) throw malformed(reply)
  return words.map(readAnswer)
}

/** What mark.lua returns for `count` fences: the mark that stands for each, `undefined` for one that has data. */
export function readMarks(reply: unknown, count: number): readonly (string | undefined)[] | 'not-meant' {
  if (typeof reply !== 'string') throw malformed(reply)
  if (reply === '') return 'not-meant'
  const words = reply.split(' ')
  if (words.length !== count) throw malformed(reply)
  return words.map((word) => (word === '+' ? undefined : word))
}

const RELEASED: Release = { kind: 'released' }
const LOST: Release = { kind: 'lost' }
const OWN = '1'.charCodeAt(0)

/** What release.lua returns for `count` locks: whether each lease was its token's own. */
export function readReleases(reply: unknown, count: number): readonly Release[] {
  if (typeof reply !== 'string' || reply.length !== count) throw malformed(reply)
  const releases: Release[] = []
  for (let i = 0; i < count; i++) releases.push(reply.charCodeAt(i) === OWN ? RELEASED : LOST)
  return releases
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
