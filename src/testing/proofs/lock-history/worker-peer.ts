/**
 * Program of a process with several workers that share a locker and write to the register under locks. It reports every
 * event to its parent, and ends when the parent ends.
 *
 * Argument: the settings as JSON.
 */
import { type Entry, machineMs } from '../../../drill/history.ts'
import { type FencedRegister, runRegister, type Taken } from '../../../drill/workloads/register.ts'
import { openSqliteRegister } from '../../../drill/workloads/sqlite-register.ts'
import type { LockBackend } from '../../../lock/backend.ts'
import { openFenceStore } from '../../../lock/fencing/registry.ts'
import { createLocker } from '../../../lock/locker.ts'
import { openLockBackend } from '../../../lock/registry.ts'
import { systemClock } from '../../../std/clock.ts'
import { createRandom } from '../../../std/random.ts'
import { until } from '../../../std/until.ts'
import { silentLog } from '../../../telemetry/log.ts'

/** Message of the parent that ends the workload. */
export const END = 'end'

/** Settings of one process, as its parent passes them. */
export interface WorkerSettings {
  readonly name: string
  readonly workers: number
  readonly lockUrl: string
  /** URL of the fence store. Empty for none. */
  readonly fencesUrl: string
  readonly registerFile: string
  readonly seed: number
  readonly ttlMs: number
  /** Keys for which workers wait in line. */
  readonly queued: readonly string[]
  /** Keys that workers request repeatedly, one attempt at a time. */
  readonly polled: readonly string[]
  /** True if fences that the register refused are reported to the locker. */
  readonly reportsRefusals: boolean
}

const WAIT_MS = 2_000
const POLL_MS = 30
const ATTEMPT_MS = 10_000
const START_MS = 40_000

/** Resolves when the event is in the parent's end of the pipe. An event without a time gets the present one. */
function record(entry: Entry): Promise<void> {
  const timed = { ...entry, tMono: entry.tMono ?? machineMs() }
  return new Promise((resolve) => {
    process.send?.(timed, () => resolve())
  })
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parent and child run the same code
const settings = JSON.parse(process.argv[2] ?? '{}') as WorkerSettings
const { name, polled, queued } = settings
const ending = new AbortController()
const { signal } = ending
process.on('disconnect', () => process.exit())
process.on('message', (message) => {
  if (message === END) ending.abort(new Error('the end of the workload'))
})

async function connect(): Promise<LockBackend> {
  const soon = AbortSignal.timeout(ATTEMPT_MS)
  const fences = settings.fencesUrl === '' ? undefined : await openFenceStore(settings.fencesUrl, soon)
  return openLockBackend(settings.lockUrl, { clock: systemClock, log: silentLog, ...(fences && { fences }) }, soon)
}

// a process may start while no server is primary
const backend = await until(async () => ({ value: await connect() }), { withinMs: START_MS, everyMs: 200 })
const locker = createLocker(backend, { ttlMs: settings.ttlMs })
const file = openSqliteRegister(settings.registerFile)
const random = createRandom(settings.seed)

const register: FencedRegister = {
  lookup(key, fence) {
    const seen = file.lookup(key, fence)
    if (seen === 'stale' && settings.reportsRefusals) locker.fenceRefused(key, fence)
    return seen
  },
  write: (key, version, fence) => file.write(key, version, fence),
}

async function poll(key: string): Promise<Taken> {
  const endMs = machineMs() + WAIT_MS
  for (;;) {
    const fromMono = machineMs()
    const outcome = await locker.tryAcquire(key, { signal })
    if (outcome.kind === 'granted') return { grant: outcome.grant, fromMono }
    if (machineMs() > endMs) throw new Error(outcome.kind === 'held' ? 'held' : outcome.error.code)
    await systemClock.sleep(random.between(1, POLL_MS), signal)
  }
}

async function take(key: string): Promise<Taken> {
  if (polled.includes(key)) return poll(key)
  return { grant: await locker.acquire(key, { waitMs: WAIT_MS, signal }) }
}

const workers = Array.from({ length: settings.workers }, (_, index) =>
  runRegister({
    process: `${name}.${index + 1}`,
    keys: [...queued, ...polled],
    locker,
    register,
    random: random.fork(),
    clock: systemClock,
    record,
    signal,
    take,
  }),
)
await Promise.all(workers)
process.disconnect()
