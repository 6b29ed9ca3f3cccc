/** Runs the Lua scripts of locks, and parses their replies. */
import { replaceable } from '#failpoint'
import { IngotError } from '../../../errors/error.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { bulk, loadScript, scriptBody, scriptOf } from '../../../redis/script.ts'
import { composeFence } from '../../fencing/fence-store.ts'
import type { Inspection, Release, Token } from '../../lock.ts'
import type { LockNames } from './keys.ts'

const ACQUIRE = loadScript('acquire', import.meta.url)
const EXTEND = loadScript('extend', import.meta.url)
const RELEASE = scriptOf('release', replaceable('lock/release-any-owner', loadScript('release', import.meta.url).text))
const INSPECT = loadScript('inspect', import.meta.url)

/** A lease and its token. */
export interface LeaseCommand {
  readonly token: Token
  readonly names: LockNames
  /** Nothing is sent after it has aborted. */
  readonly signal: AbortSignal
}

/**
 * A lease to release. With `onlyIfKept`, releases only a reservation, because the owner may be acquiring the key now.
 */
export interface ReleaseCommand extends LeaseCommand {
  readonly onlyIfKept?: true
}

/** A lease to acquire. */
export interface AcquireCommand extends LeaseCommand {
  readonly ttlMs: number
  /** True to add a wait entry if refused. */
  readonly queue: boolean
}

/** A running attempt. */
export interface PendingAttempt extends AcquireCommand {
  readonly willWait: boolean
  /** How often the attempt has waited for an epoch. */
  readonly epochWaits: number
}

/** Facts about a sent command: how long it took, and the value of `Epochs.fills` before it. */
export interface Sent {
  readonly spentMs: number
  readonly fills: number
}

/** Every method rejects with the connection's IngotError. A batch is one script and therefore atomic. */
export interface Scripts {
  /** Calls `tell` with one reply per request. Resolves with its result. */
  acquire<T>(batch: readonly AcquireCommand[], tell: (answers: readonly AcquireReply[]) => T): Promise<T>
  release(batch: readonly ReleaseCommand[]): Promise<readonly Release[]>
  /** Resolves with true if the token held the lease. */
  extend(lock: string, lease: { readonly token: Token; readonly ttlMs: number }, signal: AbortSignal): Promise<boolean>
  inspect(lock: string, signal: AbortSignal): Promise<Inspection>
}

export interface ScriptTerms {
  /** Suffix of the names of this client's channels. */
  readonly client: string
  /** The confirmed term of each tag. Absent without a fence store. */
  readonly epochs?: { termOf(tag: number): ConfirmedTerm | undefined } | undefined
  /** How long a released key is reserved for the next waiter, in milliseconds. */
  readonly keepMs: number
}

/** Rounds up to whole milliseconds for Redis, so that a lease never ends earlier than its holder expects. */
function wholeMs(ttlMs: number): string {
  return String(Math.ceil(ttlMs))
}

/** A server's epoch that the fence store confirmed since the client connected. */
export interface ConfirmedTerm {
  /** The first four arguments of acquire.lua, encoded in the Redis protocol. */
  readonly wire: string
}

const UNCONFIRMED = bulk('-') + bulk('0') + bulk('0') + bulk(',')

/** Returns the arguments of acquire.lua for a server with this replication id. */
export function termWire(owner: string, epoch: bigint, lines: Iterable<string>): string {
  const list = `,${[...lines].join(',')},`
  return bulk(owner) + bulk(String(epoch)) + bulk(String(composeFence(epoch, 0n))) + bulk(list)
}

const isWanted = ({ signal }: LeaseCommand): boolean => !signal.aborted
const allWanted = (batch: readonly LeaseCommand[]) => (): boolean => batch.every(isWanted)

const isOne = (reply: unknown): boolean => reply === 1

const ACQUIRE_KEYS = 3
const ACQUIRE_ARGS = 3
const TERM_ARGS = 4
const RELEASE_KEYS = 2

export function createScripts(connection: RedisConnection, { client, epochs, keepMs }: ScriptTerms): Scripts {
  const nothing = bulk('')
  const releaseArgs = bulk(String(keepMs)) + bulk(client)

  return {
    acquire(batch, tell) {
      let keys = bulk(String(ACQUIRE_KEYS * batch.length))
      let args = epochs === undefined ? nothing : (epochs.termOf(batch[0]?.names.tag ?? 0)?.wire ?? UNCONFIRMED)
      for (const { names, token, ttlMs, queue } of batch) {
        keys += names.wire
        args += bulk(token) + bulk(wholeMs(ttlMs)) + (queue ? bulk(`${token}@${client}`) : nothing)
      }
      const parts = 1 + (epochs === undefined ? 1 : TERM_ARGS) + (ACQUIRE_KEYS + ACQUIRE_ARGS) * batch.length
      const key = batch[0]?.names.lock ?? ''
      const read = (reply: unknown) => tell(readAcquireReplies(reply, batch.length))
      return connection.run({ script: ACQUIRE, key, body: keys + args, parts, read, wanted: allWanted(batch) })
    },
    release(batch) {
      let keys = bulk(String(RELEASE_KEYS * batch.length))
      let args = releaseArgs
      for (const { names, token, onlyIfKept } of batch) {
        keys += names.shortWire
        args += bulk(onlyIfKept === true ? `?${token}` : token)
      }
      const parts = 3 + (RELEASE_KEYS + 1) * batch.length
      const key = batch[0]?.names.lock ?? ''
      const read = (reply: unknown) => readReleases(reply, batch.length)
      return connection.run({ script: RELEASE, key, body: keys + args, parts, read, wanted: allWanted(batch) })
    },
    extend(lock, { token, ttlMs }, signal) {
      const body = scriptBody([lock], [token, wholeMs(ttlMs)])
      return connection.run({ script: EXTEND, ...body, read: isOne, wanted: () => !signal.aborted })
    },
    inspect(lock, signal) {
      const body = scriptBody([lock], [])
      return connection.run({ script: INSPECT, ...body, read: readHolder, wanted: () => !signal.aborted })
    },
  }
}

/** A fence counter that must not count before an epoch is confirmed for its server. */
export interface MissingEpoch {
  readonly kind: 'missing-epoch'
  /** The replication id of the primary that replied. */
  readonly owner: string
  /** -1 if the fence has none. */
  readonly storedEpoch: number
  /** True if this server stored it in its current term. */
  readonly isOwn: boolean
  /** `undefined` if the fence has no data. */
  readonly line: string | undefined
}

/** The reply of acquire.lua for one lock. */
export type AcquireReply =
  | { readonly kind: 'granted'; readonly fence: bigint }
  | { readonly kind: 'repeated'; readonly fence: bigint; readonly remainingMs: number }
  | { readonly kind: 'held'; readonly remainingMs: number }
  | MissingEpoch
  | { readonly kind: 'demoted' }
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'foreign'; readonly which: ForeignKey }

/** The one of a lock's three keys that has another type. */
export type ForeignKey = 'lock' | 'fence' | 'queue'

function malformed(reply: unknown): IngotError {
  return new IngotError('INTERNAL', `a lock script returned ${JSON.stringify(reply) ?? 'nothing'}`)
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

/** Parses the word of one lock. */
function readAcquireReply(word: string): AcquireReply {
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

/** Parses the reply of acquire.lua for `count` locks. */
function readAcquireReplies(reply: unknown, count: number): readonly AcquireReply[] {
  if (typeof reply !== 'string') throw malformed(reply)
  const words = count === 1 ? [reply] : reply.split(' ')
  if (words.length !== count) throw malformed(reply)
  return words.map(readAcquireReply)
}

/**
 * Parses the reply of mark.lua for `count` fences. Returns the mark of each fence, and `undefined` for a fence with
 * data.
 */
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

/** Parses the reply of release.lua for `count` locks: whether each token held its lease. */
function readReleases(reply: unknown, count: number): readonly Release[] {
  if (typeof reply !== 'string' || reply.length !== count) throw malformed(reply)
  const releases: Release[] = []
  for (let i = 0; i < count; i++) releases.push(reply.charCodeAt(i) === OWN ? RELEASED : LOST)
  return releases
}

/** Parses the reply of inspect.lua. */
function readHolder(reply: unknown): Inspection {
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
