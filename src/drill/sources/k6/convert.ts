/**
 * Converts k6's JSON output into a history, line by line, in the order of the file. Only operations in progress are
 * kept in memory. The order of the file is causal, and so is every prefix of it: a sample enters k6's one queue before
 * its request is sent, or after its response has come. A truncated run has therefore lost a suffix on which no present
 * line depends.
 *
 * The lost suffix may hold requests that were sent. Contents are a function of the run, so at the end of a truncated
 * run the converter adds every other planned content as invoked with an unknown outcome, and records `load-cut` instead
 * of `load-ended`. `tMono` of such a history is the wall clock, because all its sources run on one machine.
 */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { IngotError } from '../../../errors/error.ts'
import type { Entry } from '../../history.ts'
import { outcomeOf } from './outcome.ts'
import { shotAt } from './plan.ts'
import { METRIC } from './sample.ts'

/** Entry of a history with its time. */
export type Timed = Entry & { readonly tMono: number; readonly tWall: number }

/** Converts the lines of one run. */
export interface Converter {
  /**
   * Converts one line. `number` identifies the line in messages. Throws IngotError INPUT_UNREADABLE for a malformed
   * sample of the load test.
   */
  line(text: string, number: number): readonly Timed[]
  /** Returns the entries after the last line. Throws IngotError INPUT_UNREADABLE when no run began. */
  end(): readonly Timed[]
}

/** Matches k6's time stamps. The digits beyond the millisecond give the order at high rates. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

const DIGITS = Type.String({ pattern: '^\\d+$' })
const BEGAN = Type.Object({ run: Type.String(), collection: Type.String(), iterations: DIGITS })
const REQUEST = Type.Object({
  op: Type.String({ minLength: 1 }),
  iteration: Type.Optional(DIGITS),
  process: Type.String({ minLength: 1 }),
  to: Type.String(),
  items: Type.String(),
})
const RESPONSE = Type.Object({
  op: Type.String(),
  status: Type.String(),
  errorCode: Type.String(),
  error: Type.String(),
  code: Type.String(),
  detail: Type.String(),
  items: Type.String(),
})
const POINT = Type.Object({
  metric: Type.String(),
  type: Type.Literal('Point'),
  data: Type.Object({
    time: Type.String(),
    value: Type.Number(),
    metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
})
const SENT_ITEMS = Type.Array(Type.Tuple([Type.String({ minLength: 1 }), Type.String({ pattern: '^[0-9a-f]{64}$' })]))
const ITEM_RESULTS = Type.Array(
  Type.Union([
    Type.Tuple([Type.Enum(['created', 'duplicate']), Type.String()]),
    Type.Tuple([Type.Literal('failed'), Type.String()]),
    Type.Tuple([Type.Literal('untold')]),
  ]),
)

const DROPPED = 'dropped_iterations'

interface Run {
  readonly name: string
  readonly collection: string
  readonly iterations: number
}

type Base = Omit<Entry, 'type'>

/** A parsed sample of the load test, with its time. */
interface ParsedSample {
  readonly where: string
  readonly ms: number
  readonly metadata: Readonly<Record<string, string>>
}

class K6Converter implements Converter {
  #run: Run | undefined
  /** Operations in progress: one for each item of a request. */
  readonly #open = new Map<string, readonly Base[]>()
  readonly #begun = new Set<number>()
  #dropped = 0
  #lastMs = 0
  #isComplete = false

  line(text: string, number: number): readonly Timed[] {
    // most lines are k6's own metrics, and skipping them saves the parsing
    if (!text.includes(METRIC) && !text.includes(DROPPED)) return []
    const where = `line ${number}`
    const point = parseJson(text, where)
    if (!Value.Check(POINT, point)) return []
    if (point.metric === DROPPED) this.#dropped += point.data.value
    if (point.metric !== METRIC) return []
    const { time, metadata = {} } = point.data
    this.#lastMs = msOf(time, where)
    return this.#sample({ where, ms: this.#lastMs, metadata })
  }

  #sample(sample: ParsedSample): readonly Timed[] {
    const event = sample.metadata['event'] ?? ''
    switch (event) {
      case 'began':
        return this.#began(sample)
      case 'asked':
        return this.#requested(sample)
      case 'told':
        return this.#responded(sample)
      case 'ended':
        this.#isComplete = true
        return [this.#phase('load-ended', { value: String(this.#dropped) })]
      default:
        throw unreadable(`${sample.where} has the unknown event "${event}"`)
    }
  }

  #began({ metadata, where }: ParsedSample): readonly Timed[] {
    if (!Value.Check(BEGAN, metadata)) throw misformed(where)
    if (this.#run !== undefined) throw unreadable(`${where} begins a second run: write each run to its own file`)
    const { run, collection, iterations } = metadata
    this.#run = { name: run, collection, iterations: Number(iterations) }
    return [this.#phase('load-began', { value: iterations })]
  }

  #requested({ metadata, where, ms }: ParsedSample): readonly Timed[] {
    const items = parseJson(metadata['items'] ?? '', where)
    if (!Value.Check(REQUEST, metadata) || !Value.Check(SENT_ITEMS, items)) throw misformed(where)
    const { op, iteration, process, to } = metadata
    const { collection } = this.#knownRun(where)
    if (this.#open.has(op)) throw unreadable(`${where} begins operation ${op} again`)
    if (iteration !== undefined) this.#begun.add(Number(iteration))
    const bases = items.map(([key], index): Base => ({ process, op: `${op}.${index}`, f: 'save', key, collection, to }))
    this.#open.set(op, bases)
    return bases.map((base, index) => at(ms, { ...base, type: 'invoke', bytes: items[index]?.[1] ?? '' }))
  }

  #responded({ metadata, where, ms }: ParsedSample): readonly Timed[] {
    const items = parseJson(metadata['items'] ?? '', where)
    if (!Value.Check(RESPONSE, metadata) || !Value.Check(ITEM_RESULTS, items)) throw misformed(where)
    const bases = this.#open.get(metadata.op)
    if (bases === undefined) throw unreadable(`${where} ends operation ${metadata.op}, which never began`)
    this.#open.delete(metadata.op)
    return bases.map((base, index) => at(ms, { ...base, ...outcomeOf(metadata, items[index] ?? ['untold']) }))
  }

  end(): readonly Timed[] {
    const run = this.#knownRun('the end')
    if (this.#isComplete) return []
    return [...this.#possiblySent(run), this.#phase('load-cut', { value: String(this.#dropped) })]
  }

  /** Returns an entry for every content of the plan that has none yet, because the run may have sent it. */
  #possiblySent({ name, collection, iterations }: Run): readonly Timed[] {
    const missing = Array.from({ length: iterations }, (_, index) => index).filter((index) => !this.#begun.has(index))
    return missing.flatMap((iteration) =>
      shotAt(name, iteration).items.map(({ key, text }, index) => {
        const bytes = createHash('sha256').update(text).digest('hex')
        const op = `${name}.${iteration}.${index}`
        return at(this.#lastMs, { process: 'unknown', op, f: 'save', type: 'invoke', key, collection, bytes })
      }),
    )
  }

  #phase(key: string, more: Pick<Entry, 'value'>): Timed {
    const op = `${this.#run?.name ?? ''}.${key}`
    return at(this.#lastMs, { process: 'load', op, f: 'phase', type: 'info', key, ...more })
  }

  #knownRun(where: string): Run {
    if (this.#run !== undefined) return this.#run
    throw unreadable(
      `no run of loadtests/ingest.ts begins before ${where}: is it the output of k6 run --out json=FILE?`,
    )
  }
}

/** Returns a converter for one run. */
export function createConverter(): Converter {
  return new K6Converter()
}

/**
 * Returns the requests whose response came at `fromMs` or later, in milliseconds since the Unix epoch. The first and last
 * line may be cut off.
 */
export function responsesSince(lines: readonly string[], fromMs: number): Responses {
  const since = lines.flatMap(responseIn).filter(({ ms }) => ms >= fromMs)
  return {
    requests: since.length,
    failed: since.filter(({ hasFailed }) => hasFailed).length,
    refused: since.filter(({ status }) => status === 429 || status >= 500).length,
  }
}

export interface Responses {
  readonly requests: number
  /** Requests with an item that was not acknowledged. */
  readonly failed: number
  /** Requests that ended with 429 or 5xx. */
  readonly refused: number
}

interface Response {
  readonly ms: number
  readonly status: number
  readonly hasFailed: boolean
}

function responseIn(line: string): readonly Response[] {
  const point = parsedOrUndefined(line)
  if (!Value.Check(POINT, point) || point.data.metadata?.['event'] !== 'told') return []
  const { time, metadata } = point.data
  const items = parsedOrUndefined(metadata['items'] ?? '')
  if (!Value.Check(RESPONSE, metadata) || !Value.Check(ITEM_RESULTS, items)) return []
  const hasFailed = items.some((item) => outcomeOf(metadata, item).type !== 'ok')
  return [{ ms: msOf(time, 'a response'), status: Number(metadata.status), hasFailed }]
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function at(ms: number, entry: Entry): Timed {
  return { ...entry, tMono: ms, tWall: Math.floor(ms) }
}

/** Returns milliseconds since the Unix epoch with their fraction. */
function msOf(time: string, where: string): number {
  const fraction = TIME.exec(time)?.[1] ?? ''
  const seconds = Date.parse(fraction === '' ? time : time.replace(fraction, ''))
  if (!TIME.test(time) || Number.isNaN(seconds)) throw unreadable(`${where} has the time "${time}"`)
  return seconds + Math.round(Number(`0${fraction}`) * 1e6) / 1e3
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new IngotError('INPUT_UNREADABLE', `${where} is not JSON: ${String(cause)}`, { cause })
  }
}

function misformed(where: string): IngotError {
  return unreadable(`${where} does not match loadtests/lib/send.ts: do the versions fit?`)
}

function unreadable(message: string): IngotError {
  return new IngotError('INPUT_UNREADABLE', message)
}
