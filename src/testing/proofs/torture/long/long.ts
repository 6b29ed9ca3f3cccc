/**
 * A long torture run: millions of acknowledged items through three replicas on Postgres while faults are injected. The
 * history is on disk in parts. The checkers of the short run judge every part, item by item, in bounded memory.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Verdict } from '../../../../drill/checkers/verdict.ts'
import type { Coverage } from '../../../../drill/coverage.ts'
import type { Probe } from '../../../../drill/faults/packets.ts'
import { spreadPostgresRows } from '../../../../drill/final-store/spread-postgres.ts'
import type { Entry, Event } from '../../../../drill/history.ts'
import { createPartitionedRecorder } from '../../../../drill/partitions.ts'
import { run } from '../../../../drill/process-run.ts'
import {
  type BulkWorkload,
  bulkClient,
  createRoutes,
  deletingClient,
  settleBulk,
} from '../../../../drill/workloads/bulk.ts'
import { bytesOf } from '../../../../drill/workloads/content.ts'
import { createNumberedBook, type NumberedBook } from '../../../../drill/workloads/numbered-book.ts'
import { createSender, type Sender } from '../../../../drill/workloads/sender.ts'
import { readSqliteRegister } from '../../../../drill/workloads/sqlite-register.ts'
import { createPostgres } from '../../../../postgres/pool.ts'
import { systemClock } from '../../../../std/clock.ts'
import type { FailpointName } from '../../../../std/failpoint.ts'
import { createRandom } from '../../../../std/random.ts'
import { createScope } from '../../../../std/scope.ts'
import { type Fixture, startFixture } from '../fixture.ts'
import { untilReady } from '../readiness.ts'
import { chosen } from '../torture.ts'
import { judgeParts } from './judge-parts.ts'
import { createTally, type Tally } from './tally.ts'

/** Settings of a long torture run. */
export interface LongOptions {
  readonly seed: number
  /** Number of distinct acknowledged items that ends the traffic. */
  readonly items: number
  /** Longest traffic, in milliseconds. */
  readonly maxMs: number
  /** Folder for the history, rows and verdict. It is emptied first. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly say: (line: string) => void
  /** Names of faults. Default: all but `store-restore`. */
  readonly faults?: readonly string[]
  readonly failpoints?: readonly FailpointName[]
  /** Longest time between two faults, in milliseconds. Default: 4000. */
  readonly quietMs?: number
  /**
   * Number of parts of the history. Default: 256, which gives some 100,000 events per part in a run of 10 million
   * items.
   */
  readonly parts?: number
}

/** Result of a long torture run. */
export interface LongResult {
  readonly verdict: Verdict
  readonly figures: Readonly<Record<string, number>>
}

const CLIENTS = 5
const DELETING_CLIENTS = 3
const STREAM_ITEMS = 3_000
const REQUEST_MS = 20_000
const SETTLE_MS = 60_000
/** Seconds from the end of traffic until the containers may end, for settling and reading the rows. */
const AFTERWARDS_S = 1_800
const READ_MS = 900_000
const COLLECTION = 'torture'
const REMEMBERED_IDS = 20_000
const PROGRESS_MS = 15_000

/**
 * Resolves with the verdict. Rejects with the signal's reason if it was ended early, or with the reason why the run
 * cannot start.
 */
export async function tortureLong(options: LongOptions): Promise<LongResult> {
  const { folder, parts = 256, seed, signal, say } = options
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const startMs = performance.now()
  const { tally, registerFile } = await withHistory(options, parts)
  const trafficHours = (performance.now() - startMs) / 3_600_000
  say(`judging ${parts} parts`)
  const verdict = await judgeParts({
    folder,
    parts,
    recoveryMs: SETTLE_MS,
    register: readSqliteRegister(registerFile),
    signal,
  })
  const figures = {
    ...tally.figures(),
    trafficHours: round(trafficHours),
    hours: round((performance.now() - startMs) / 3_600_000),
  }
  const head = { seed, items: options.items, parts, failpoints: options.failpoints ?? [], figures }
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify({ ...head, ...verdict }, null, 2)}\n`)
  return { verdict, figures }
}

function round(hours: number): number {
  return Math.round(hours * 1_000) / 1_000
}

/** Runs the traffic. When it resolves, the history and the rows are on disk and every process has ended. */
async function withHistory(options: LongOptions, parts: number): Promise<{ tally: Tally; registerFile: string }> {
  const { folder, seed, signal } = options
  const tally = createTally()
  // disposed after everything that may still record
  using recorder = createPartitionedRecorder(folder, {
    parts,
    partOf: (key) => Number(key) % parts,
    wallMs: () => systemClock.wallMs(),
  })
  await using scope = createScope()
  const record = (entry: Entry): Event => {
    tally.note(entry)
    return recorder.record(entry)
  }
  const set = await startFixture(
    {
      seed,
      trafficMs: options.maxMs,
      store: 'postgres',
      lock: 'sentinel',
      folder,
      signal,
      failpoints: options.failpoints,
      faults: options.faults,
      lifeSeconds: Math.ceil(options.maxMs / 1_000) + AFTERWARDS_S,
      cacheTtl: '1m',
    },
    scope,
    record,
  )
  await perform(options, set, { record, tally, parts })
  await set.writers.end()
  for (const replica of set.replicas) await replica[Symbol.asyncDispose]()
  tally.add('rows', await readRows(set.store.checkUrl, { folder, parts, signal }))
  return { tally, registerFile: set.registerFile }
}

interface Ledger {
  readonly record: (entry: Entry) => Event
  readonly tally: Tally
  readonly parts: number
}

async function perform(options: LongOptions, set: Fixture, { record, tally, parts }: Ledger): Promise<void> {
  const { seed, items, maxMs, signal, say, quietMs = 4_000 } = options
  const { replicas } = set
  const random = createRandom(seed)
  const keyOf = ({ number }: { readonly number: number }): string => String(number)
  const sender = createSender({
    record,
    collection: COLLECTION,
    timeoutMs: REQUEST_MS,
    keyOf,
    rememberedIds: REMEMBERED_IDS,
  })
  const book = createNumberedBook(seed, random.fork())
  const targets = replicas.map(({ url }) => url)
  const workload: BulkWorkload = {
    sender,
    book,
    targets,
    routes: createRoutes(targets, systemClock),
    clock: systemClock,
    streamItems: Math.min(STREAM_ITEMS, Math.ceil(items / 20)),
  }
  const clients = [
    ...Array.from({ length: CLIENTS }, (_, index) => bulkClient(workload, `client-${index + 1}`)),
    ...Array.from({ length: DELETING_CLIENTS }, (_, index) => deletingClient(workload, `deleter-${index + 1}`)),
  ]
  const progress = setInterval(() => say(tally.progress(book.acknowledged, items)), PROGRESS_MS)
  try {
    await run({
      traffic: { clients, settle: settleBulk(workload, parts) },
      faults: chosen(set.faults(probeOf(sender, book, set)), options.faults),
      quietMs,
      trafficMs: maxMs,
      settleMs: SETTLE_MS,
      random,
      clock: systemClock,
      record: (entry) => {
        if (entry.f === 'fault' && entry.type !== 'invoke') say(`${entry.key}: ${entry.proof ?? entry.error ?? ''}`)
        return record(entry)
      },
      heal: (until) => untilReady(replicas, { ms: SETTLE_MS, say, signal: until }),
      signal,
      until: { seen: untilAcknowledged(book, items), wanted: [ALL_ACKNOWLEDGED] },
    })
  } finally {
    clearInterval(progress)
  }
  tally.add('acknowledged', book.acknowledged)
}

const ALL_ACKNOWLEDGED = 'all items acknowledged'

/** Returns a coverage that is complete at the number of items, so that faults are repeated until then. */
function untilAcknowledged(book: NumberedBook, items: number): Coverage {
  return {
    note() {},
    has: () => false,
    missing: (wanted) => (book.acknowledged >= items ? [] : wanted),
  }
}

function probeOf(sender: Sender, book: NumberedBook, { store }: Fixture): Probe {
  return {
    fresh: () => book.fresh(),
    marker: (content) => store.marker(bytesOf({ content, spelling: 0 })),
    async save(replica, content) {
      const [outcome = 'info'] = await sender.save('probe', replica.url, [{ content, spelling: 0 }], 'single')
      book.note(content, outcome)
      return outcome
    },
  }
}

interface Target {
  readonly folder: string
  readonly parts: number
  readonly signal: AbortSignal
}

async function readRows(url: string, { folder, parts, signal }: Target): Promise<number> {
  await using postgres = createPostgres({ url, errorCode: 'INPUT_UNREADABLE', connections: 1, timeoutMs: READ_MS })
  return await spreadPostgresRows(async (sql) => (await postgres.query(sql, [], signal)).rows, { folder, parts })
}
