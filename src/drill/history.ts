/**
 * The history of a run: one event per line of JSON, in the order in which one recorder received them. An operation has
 * an `invoke` and at most one completion with the same `op`:
 *   ok    it happened, and the event has the response.
 *   fail  it certainly did not happen.
 *   info  the outcome is unknown: a time-out, a reset, a 5xx. It may have happened, or may happen later. An operation
 *         without a completion has an unknown outcome too.
 * The checkers (checkers/) judge from these lines and from the store only.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { IngotError } from '../errors/error.ts'

/**
 * save     `key` is the content's digest, `bytes` that of the spelling sent, `form` what it was sent in; ok: `result` created
 *          or duplicate, `id`.
 * delete   of the content `key`; ok: `result` deleted or absent.
 * acquire  of the lock `key`; ok: `fence`, and `fromMono` when the attempt that was granted is younger than the invocation.
 *          Its `release` says how long it certainly was held (`untilMono`).
 * look     lookup in the register `key` under `fence`; ok: `value` is the version seen; a stale fence is a fail.
 * write    of version `value` into the register `key` under `fence`; a stale fence is a fail.
 * set      of the number `value` into the Redis set `key`, by the canary.
 * members  of the Redis set `key`; ok: `value` lists them, separated by commas.
 * probe    one event for a write on the server `key`, sent at `tMono`; `untilMono` is when its outcome was known. ok: the
 *          server took it; fail: refused, also the connection; info: no answer in time.
 * fault    `key` names it; ok: it happened, `proof` says how that is known.
 * phase    `key` is healed: from here on nothing is broken. load-began, load-ended and load-cut (its end was not
 *          recorded), canary-began and canary-ended say how much of a run its recorder has seen; the `value` of load-ended
 *          and load-cut is the number of arrivals that the generator could not make.
 */
const EVENT = Type.Object({
  seq: Type.Integer({ minimum: 1 }),
  process: Type.String({ minLength: 1 }),
  op: Type.String({ minLength: 1 }),
  f: Type.Enum(['save', 'delete', 'acquire', 'release', 'look', 'write', 'set', 'members', 'probe', 'fault', 'phase']),
  type: Type.Enum(['invoke', 'ok', 'fail', 'info']),
  key: Type.String({ minLength: 1 }),
  /**
   * Milliseconds of the machine's monotonic clock: comparable among the processes of one machine. In a history of
   * several containers: of its wall clock.
   */
  tMono: Type.Number(),
  /** Milliseconds since the Unix epoch, for readers. */
  tWall: Type.Number(),
  collection: Type.Optional(Type.String()),
  /** Target of the request. */
  to: Type.Optional(Type.String()),
  result: Type.Optional(Type.String()),
  id: Type.Optional(Type.String()),
  bytes: Type.Optional(Type.String()),
  form: Type.Optional(Type.Enum(['single', 'batch', 'stream'])),
  /** Decimal digits: a fence may pass 2^53. */
  fence: Type.Optional(Type.String({ pattern: '^\\d+$' })),
  value: Type.Optional(Type.String()),
  untilMono: Type.Optional(Type.Number()),
  fromMono: Type.Optional(Type.Number()),
  /** Of a fault: locks that are held may be granted again because of it. */
  losesLocks: Type.Optional(Type.Boolean()),
  /** Of a fault: what the store did between its two events may be undone. */
  losesItems: Type.Optional(Type.Boolean()),
  proof: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
})

const EVENTS = Compile(EVENT)

export type Event = Readonly<Static<typeof EVENT>>

/** An event without the fields that the recorder adds. `tMono` and `tWall` are present if they were read elsewhere. */
export type Entry = Omit<Event, 'seq' | 'tMono' | 'tWall'> & Partial<Pick<Event, 'tMono' | 'tWall'>>

export interface History {
  readonly events: readonly Event[]
  /** 1 if the last line is incomplete because its recorder was killed, else 0. */
  readonly torn: number
}

export interface Recorder extends Disposable {
  record(entry: Entry): Event
  readonly count: number
}

/** Returns the monotonic clock of the system in milliseconds. Times of different processes are comparable. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}

/** Creates the file and writes each event at once. `monoMs` gives `tMono`. Throws IngotError OUTPUT_UNWRITABLE. */
export function createRecorder(path: string, wallMs: () => number, monoMs = machineMs): Recorder {
  const fd = openNew(path)
  let seq = 0
  return {
    record(entry) {
      const event: Event = { ...entry, seq: ++seq, tMono: entry.tMono ?? monoMs(), tWall: entry.tWall ?? wallMs() }
      writeSync(fd, `${JSON.stringify(event)}\n`)
      return event
    },
    get count() {
      return seq
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}

function openNew(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (cause) {
    throw new IngotError('OUTPUT_UNWRITABLE', `cannot write the history "${path}": ${messageOf(cause)}`, { cause })
  }
}

/** Throws IngotError INPUT_UNREADABLE with the line. */
export function readHistory(path: string): History {
  try {
    return parseHistory(readFileSync(path, 'utf8'), path)
  } catch (cause) {
    if (cause instanceof IngotError) throw cause
    throw new IngotError('INPUT_UNREADABLE', `cannot read the history "${path}": ${messageOf(cause)}`, { cause })
  }
}

/** Leaves out a last line without a line feed, which is incomplete. Throws IngotError INPUT_UNREADABLE with the line. */
export function parseHistory(text: string, name = 'history'): History {
  const lines = text.split('\n')
  const torn = lines.pop() === '' ? 0 : 1
  const events = lines.map((line, index) => parseEvent(line, `line ${index + 1} of "${name}"`))
  for (const [index, event] of events.entries()) {
    if (event.seq === index + 1) continue
    throw unreadable(`line ${index + 1} of "${name}" has seq ${event.seq}: lines are missing or out of order`)
  }
  return { events, torn }
}

function parseEvent(line: string, where: string): Event {
  const value = parseJson(line, where)
  if (EVENTS.Check(value)) return value
  const [first] = EVENTS.Errors(value)
  throw unreadable(`${where} is no event of a history: ${first?.instancePath ?? ''} ${first?.message ?? ''}`)
}

function parseJson(line: string, where: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw unreadable(`${where} is not JSON: ${messageOf(cause)}`)
  }
}

function unreadable(message: string): IngotError {
  return new IngotError('INPUT_UNREADABLE', message)
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
