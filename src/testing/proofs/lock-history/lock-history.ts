/**
 * Records a history of locks under faults: workers in several processes acquire locks on real servers and write to a
 * register that compares fences, a prober records which servers accept writes, and faults are injected in the order of
 * the seed. The verdict comes from the history and the register alone.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fencesRiseInTime } from '../../../drill/checkers/fence-history.ts'
import { fencesRise, oneHolder } from '../../../drill/checkers/locks.ts'
import { twoPrimariesEnd } from '../../../drill/checkers/two-primaries.ts'
import { type Checker, judge, type Verdict } from '../../../drill/checkers/verdict.ts'
import { createRecorder, type Entry, type Event, readHistory } from '../../../drill/history.ts'
import { run } from '../../../drill/process-run.ts'
import { readSqliteRegister } from '../../../drill/workloads/sqlite-register.ts'
import { epochOfFence } from '../../../lock/fencing/fence-store.ts'
import { systemClock } from '../../../std/clock.ts'
import { createRandom } from '../../../std/random.ts'
import { createScope, type Scope } from '../../../std/scope.ts'
import { chosen } from '../torture/torture.ts'
import { type FaultFigures, faultFigures } from './fault-figures.ts'
import { SLACK_MS } from './services/prober.ts'
import { type LockName, startService } from './services/registry.ts'
import type { RedisChoice } from './services/sentinel.ts'
import type { StartedService } from './services/service.ts'
import { workerFaults } from './worker-faults.ts'
import { startWorkers } from './workers.ts'

/** Settings of a lock history. */
export interface LockHistoryOptions extends RedisChoice {
  readonly lock: LockName
  readonly seed: number
  readonly trafficMs: number
  /** Longest allowed time for which two servers both accept writes, in milliseconds. */
  readonly maxTwoPrimariesMs: number
  /** Names of faults. Default: all. */
  readonly faults?: readonly string[] | undefined
  /** Returns the folder for a version of the server. The folder is emptied first. */
  readonly folderOf: (version: string) => string
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/** Result of a lock history. */
export interface LockHistoryResult {
  readonly verdict: Verdict
  readonly folder: string
  readonly version: string
  /** What each kind of fault did. */
  readonly figures: readonly FaultFigures[]
}

const PROCESSES = 8
const WORKERS = 30
const QUIET_MS = 1_500
const QUEUED = ['queued-1', 'queued-2', 'queued-3'] as const
const POLLED = ['polled-1', 'polled-2', 'polled-3'] as const
/** Minimum number of grants in a valid run, per minute. */
const MIN_GRANTS_PER_MINUTE = 200
/** Time for which workers continue after the recovery, in milliseconds. */
const AFTER_MS = 2_000

/** Resolves with the verdict. Rejects with the signal's reason, or with the reason why the run cannot start. */
export async function lockHistory(options: LockHistoryOptions): Promise<LockHistoryResult> {
  await using scope = createScope()
  const lifeSeconds = Math.ceil(options.trafficMs / 1_000) + 600
  const service = await startService({ ...options, lifeSeconds }, scope)
  options.signal.throwIfAborted()
  const { version } = service
  const folder = options.folderOf(version)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  options.say(`${version}: history and verdict in ${folder}`)
  const [historyFile, registerFile] = [join(folder, 'history.ndjson'), join(folder, 'register.sqlite')]
  await perform(options, { scope, service, folder, historyFile, registerFile })
  const { events } = readHistory(historyFile)
  const verdict = judge(checkersOf(options, service), events, { rows: [], register: readSqliteRegister(registerFile) })
  const { seed, trafficMs, lock, fences, faults } = options
  const head = { seed, trafficMs, lock, version, fences, faults }
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify({ ...head, ...verdict }, null, 2)}\n`)
  return { verdict, folder, version, figures: faultFigures(events) }
}

function checkersOf(
  { trafficMs, maxTwoPrimariesMs }: LockHistoryOptions,
  { isProbed }: StartedService,
): Readonly<Record<string, Checker>> {
  const minGrants = Math.round((trafficMs / 60_000) * MIN_GRANTS_PER_MINUTE)
  const limits = { slackMs: SLACK_MS, minGrants, minFaults: 1, isProbed }
  if (!isProbed) {
    // without two primaries there are no epochs: no fence may ever fall, and no lock may have two holders
    return {
      'fences-in-time': (history) => fencesRiseInTime(history, { ...limits, epochOf: () => 0n }),
      'one-holder': oneHolder,
      'no-stale-write': fencesRise,
    }
  }
  return {
    'fences-in-time': (history) => fencesRiseInTime(history, { ...limits, epochOf: epochOfFence }),
    'two-primaries': (history) => twoPrimariesEnd(history, { slackMs: SLACK_MS, maxMs: maxTwoPrimariesMs }),
    'no-stale-write': fencesRise,
  }
}

interface RunContext {
  readonly scope: Scope
  readonly service: StartedService
  readonly folder: string
  readonly historyFile: string
  readonly registerFile: string
}

/** Resolves when the history is complete. */
async function perform(options: LockHistoryOptions, context: RunContext): Promise<void> {
  const { seed, trafficMs, signal, say } = options
  const { registerFile } = context
  const random = createRandom(seed)
  const recorder = createRecorder(context.historyFile, () => systemClock.wallMs())
  context.scope.defer(() => recorder[Symbol.dispose]())
  const record = (entry: Entry): Event => recorder.record(entry)
  const service = await context.service.open({ ...context, record })
  const workers = startWorkers({
    processes: PROCESSES,
    workers: WORKERS,
    random: random.fork(),
    record,
    lockUrl: service.lockUrl,
    fencesUrl: service.fencesUrl,
    registerFile,
    ttlMs: service.ttlMs,
    queued: QUEUED,
    polled: POLLED,
  })
  context.scope.defer(() => workers[Symbol.asyncDispose]())
  await workers.ready
  const recordAndSay = (entry: Entry): Event => {
    if (entry.f === 'fault' && entry.type !== 'invoke') say(`${entry.key}: ${entry.proof ?? entry.error ?? ''}`)
    return record(entry)
  }
  await run({
    traffic: { clients: [], settle: (_, until) => systemClock.sleep(AFTER_MS, until) },
    faults: chosen([...service.faults, ...workerFaults(workers)], options.faults),
    quietMs: QUIET_MS,
    trafficMs,
    settleMs: AFTER_MS * 2,
    random: random.fork(),
    clock: systemClock,
    record: recordAndSay,
    heal: (until) => service.healthy(until),
    signal,
  })
  await workers.end()
  await service.stop?.()
}
