/**
 * The history of a run: one event per line of JSON, in the order in which one recorder received them. An operation has
 * an `invoke` and at most one completion with the same `op`:
 *   ok    it took effect, and the event has the response.
 *   fail  it certainly had no effect.
 *   info  the outcome is unknown: a timeout, a reset, a 5xx. It may have taken effect, or may take effect later. An
 *         operation without a completion has an unknown outcome too.
 * The checkers (checkers/) use only these lines and the store.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { IngotError } from '../errors/error.ts'

/**
 * Fields of an event by its `f`:
 * save     `key` is the content's digest, `bytes` the digest of the sent spelling, `form` the form of the request. ok: `result`
 *          is created or duplicate, and `id` is present.
 * delete   deletes the content `key`. ok: `result` is deleted or absent.
 * acquire  acquires the lock `key`. ok: `fence`, and `fromMono` if the granted attempt began after the invocation.
 * release  completes the acquisition with the same `op`. `untilMono` is the last moment at which the lock was certainly held.
 * look     lookup in the register `key` under `fence`. ok: `value` is the version. A stale fence is a fail.
 * write    writes version `value` into the register `key` under `fence`. A stale fence is a fail.
 * set      the canary adds the number `value` to the Redis set `key`.
 * members  the canary reads the Redis set `key`. ok: `value` lists the numbers, separated by commas.
 * probe    one event for a write on the server `key`, sent at `tMono`; `untilMono` is when its outcome was known. ok: the
 *          server accepted it; fail: the write or the connection was refused; info: no response in time.
 * fault    `key` is its name. ok: it took effect, and `proof` is the evidence.
 * phase    `key` is healed (no fault is active any more), load-began, load-ended, load-cut (the record has no end),
 *          canary-began or canary-ended. These show how much of a run its recorder has seen. The `value` of load-ended and
 *          load-cut is the number of arrivals that the generator could not make.
 */
const EVENT = Type.Object({
  seq: Type.Integer({ minimum: 1 }),
  process: Type.String({ minLength: 1 }),
  op: Type.String({ minLength: 1 }),
  f: Type.Enum(['save', 'delete', 'acquire', 'release', 'look', 'write', 'set', 'members', 'probe', 'fault', 'phase']),
  type: Type.Enum(['invoke', 'ok', 'fail', 'info']),
  key: Type.String({ minLength: 1 }),
  /**
   * Milliseconds. In a history of one machine, its monotonic clock, which all its processes share. In a history of
   * several containers, the wall clock.
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
  /** Decimal digits, because a fence may exceed 2^53. */
  fence: Type.Optional(Type.String({ pattern: '^\\d+$' })),
  value: Type.Optional(Type.String()),
  untilMono: Type.Optional(Type.Number()),
  fromMono: Type.Optional(Type.Number()),
  /** For a fault: held locks may be granted again because of it. */
  losesLocks: Type.Optional(Type.Boolean()),
  /** For a fault: changes of the store between its two events may be undone. */
  losesItems: Type.Optional(Type.Boolean()),
  proof: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
})

const EVENTS = Compile(EVENT)

export type Event = Readonly<Static<typeof EVENT>>

/**
 * An event without the fields that the recorder adds. `tMono` and `tWall` are present if they come from another clock.
 */
export type Entry = Omit<Event, 'seq' | 'tMono' | 'tWall'> & Partial<Pick<Event, 'tMono' | 'tWall'>>

/** A history that was read. */
export interface History {
  readonly events: readonly Event[]
  /** 1 if the last line is incomplete because its recorder was killed, else 0. */
  readonly torn: number
}

/** Writes events to a history file. */
export interface Recorder extends Disposable {
  record(entry: Entry): Event
  readonly count: number
}

/** Returns the monotonic clock of the system in milliseconds. Times of different processes are comparable. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}

/**
 * Creates the file and writes each event immediately. `monoMs` returns `tMono`. Throws IngotError OUTPUT_UNWRITABLE.
 */
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

/** Reads a history file. Throws IngotError INPUT_UNREADABLE that names the line. */
export function readHistory(path: string): History {
  try {
    return parseHistory(readFileSync(path, 'utf8'), path)
  } catch (cause) {
    if (cause instanceof IngotError) throw cause
    throw new IngotError('INPUT_UNREADABLE', `cannot read the history "${path}": ${messageOf(cause)}`, { cause })
  }
}

/**
 * Parses a history. Leaves out a last line without a line feed, which is incomplete. Throws IngotError INPUT_UNREADABLE
 * that names the line.
 */
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
