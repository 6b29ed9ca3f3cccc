/**
 * A torture run: three replicas of the service, a store and a lock service as real processes, clients and faults. The
 * verdict comes from the history and the store alone. The seed determines the requests and the order of the faults.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkersOf } from '../../../drill/checkers/all.ts'
import { judge, type Verdict } from '../../../drill/checkers/verdict.ts'
import {
  type Coverage,
  createCoverage,
  DELETE_KIND,
  faultKind,
  ITEM_KINDS,
  REGISTER_KINDS,
} from '../../../drill/coverage.ts'
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import type { Probe } from '../../../drill/faults/packets.ts'
import { createRecorder, type Entry, type Event, readHistory } from '../../../drill/history.ts'
import { type Client, run } from '../../../drill/process-run.ts'
import { bytesOf } from '../../../drill/workloads/content.ts'
import { type ContentBook, createContentBook, runItemClient, settle } from '../../../drill/workloads/items.ts'
import { createSender, type Sender } from '../../../drill/workloads/sender.ts'
import { readSqliteRegister } from '../../../drill/workloads/sqlite-register.ts'
import { systemClock } from '../../../std/clock.ts'
import { createRandom } from '../../../std/random.ts'
import { createScope } from '../../../std/scope.ts'
import { within } from '../../service.ts'
import { cacheCounts } from './cache-hits.ts'
import { type Fixture, startFixture } from './fixture.ts'
import type { TortureOptions } from './options.ts'
import { untilReady } from './readiness.ts'
import type { TortureStore } from './store.ts'

/** Result of a torture run. */
export interface TortureResult {
  readonly verdict: Verdict
  /** Number of events by kind and outcome. */
  readonly counts: Readonly<Record<string, number>>
  /** Kinds of faults and operations that did not happen. */
  readonly missing: readonly string[]
  readonly historyFile: string
}

const CLIENTS = 4
const REQUEST_MS = 6_000
const PAUSE_MS = 120
const RECOVERY_MS = 20_000
/**
 * Longest time from the end of traffic to the end of the run, in milliseconds: an active fault, the recovery and the
 * settling.
 */
const END_MS = 90_000
const COLLECTION = 'torture'
/** Length of a marker. It is a multiple of three, so that it is a prefix in base64 too. */
const MARKER_BYTES = 240

/**
 * Resolves with the verdict. Rejects with the signal's reason if it was ended early, or with the reason why the run
 * cannot start.
 */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { folder } = options
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const historyFile = join(folder, 'history.ndjson')
  // disposed after everything that may still record
  using recorder = createRecorder(historyFile, () => systemClock.wallMs())
  await using scope = createScope()
  const seen = createCoverage()
  const record = (entry: Entry): Event => {
    const event = recorder.record(entry)
    seen.note(event)
    return event
  }
  const set = await startFixture(options, scope, record)
  const boundMs = options.trafficMs + END_MS
  const performed = perform(options, set, { record, seen })
  const missing = await within(performed, boundMs, () => `the run did not end within ${boundMs} ms`)
  await set.writers.end()
  const cache = await cacheCounts(set.replicas.map(({ url }) => url))
  for (const replica of set.replicas) await replica[Symbol.asyncDispose]()
  const items = await set.store.read(AbortSignal.timeout(60_000))
  const final = { ...items, register: readSqliteRegister(set.registerFile) }
  const { events } = readHistory(historyFile)
  const verdict = judge(checkersOf({ recoveryMs: RECOVERY_MS, locks: true }), events, final)
  const { seed, trafficMs, store, lock, failpoints = [] } = options
  const head = { seed, trafficMs, store, lock, failpoints, check: set.store.checkUrl }
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify({ ...head, ...verdict }, null, 2)}\n`)
  return { verdict, counts: { ...countsOf(events), ...cache }, missing, historyFile }
}

function countsOf(events: readonly Event[]): Readonly<Record<string, number>> {
  const ended = events.filter(({ type, f }) => type !== 'invoke' && f !== 'phase' && f !== 'release')
  const groups = Object.entries(Object.groupBy(ended, ({ f, type }) => `${f} ${type}`))
  return Object.fromEntries(groups.map(([name, group]) => [name, group?.length ?? 0]))
}

interface Ledger {
  readonly record: (entry: Entry) => Event
  readonly seen: Coverage
}

/** Resolves with the kinds of faults and operations that did not happen. */
async function perform(
  options: TortureOptions,
  fixture: Fixture,
  { record, seen }: Ledger,
): Promise<readonly string[]> {
  const { trafficMs, signal, say = () => {}, quietMs = 1_000 } = options
  const { store, replicas } = fixture
  const random = createRandom(options.seed)
  const sender = createSender({ record, collection: COLLECTION, timeoutMs: REQUEST_MS })
  const contents = createContentBook()
  const faults = chosen(fixture.faults(probeOf(sender, contents, store)), options.faults)
  const recordAndSay = (entry: Entry): Event => {
    if (entry.f === 'fault' && entry.type !== 'invoke') say(`${entry.key}: ${entry.proof ?? entry.error ?? ''}`)
    return record(entry)
  }
  const deletes = store.deletes && options.deletes !== false
  const kinds = [...ITEM_KINDS, ...(deletes ? [DELETE_KIND] : []), ...REGISTER_KINDS]
  const wanted = [...faults.map(({ name }) => faultKind(name)), ...kinds]
  const targets = replicas.map(({ url }) => url)
  const workload = { sender, targets, contents, clock: systemClock, deletes, pauseMs: PAUSE_MS }
  const clients = Array.from(
    { length: CLIENTS },
    (_, index): Client =>
      (draws, sending) =>
        runItemClient({ ...workload, signal: sending }, `client-${index + 1}`, draws),
  )
  await run({
    traffic: { clients, settle: (draws, sending) => settle({ ...workload, signal: sending }, draws) },
    faults,
    quietMs,
    trafficMs,
    settleMs: RECOVERY_MS,
    random,
    clock: systemClock,
    record: recordAndSay,
    heal: (until) => untilReady(replicas, { ms: RECOVERY_MS, say, signal: until }),
    signal,
    ...(options.cover === true ? { until: { seen, wanted } } : {}),
  })
  return seen.missing(wanted)
}

/**
 * Returns the faults of these names in the given order, so that a run can have few faults. Returns all faults without
 * names. Throws an Error that lists the valid names.
 */
export function chosen(
  faults: readonly FaultInjection[],
  names: readonly string[] | undefined,
): readonly FaultInjection[] {
  if (names === undefined) return faults
  return names.map((name) => {
    const fault = faults.find((one) => one.name === name)
    if (fault !== undefined) return fault
    throw new Error(`there is no fault "${name}", only ${faults.map((one) => one.name).join(', ')}`)
  })
}

function probeOf(sender: Sender, contents: ContentBook, store: TortureStore): Probe {
  return {
    fresh: (random) => contents.fresh(random),
    // a prefix is enough, and is less likely to arrive in two pieces
    marker: (content) => store.marker(bytesOf({ content, spelling: 0 }).subarray(0, MARKER_BYTES)),
    async save(replica, content) {
      const [outcome = 'info'] = await sender.save('probe', replica.url, [{ content, spelling: 0 }], 'single')
      contents.note(content, outcome)
      return outcome
    },
  }
}
