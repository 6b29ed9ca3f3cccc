/** `ingot drill canary`: what Redis acknowledged and granted, noted beside the service. */
import { existsSync } from 'node:fs'
import { clientSettings } from '../config/client.ts'
import { createRecorder } from '../drill/history.ts'
import { runCanary } from '../drill/sources/canary/canary.ts'
import { createNumbers } from '../drill/sources/canary/numbers.ts'
import { openFenceStore } from '../lock/fencing/registry.ts'
import { createLocker, type Locker } from '../lock/locker.ts'
import { openLockBackend } from '../lock/registry.ts'
import { createRedisConnection } from '../redis/deployment.ts'
import { parseRedisUrl } from '../redis/redis-url.ts'
import { createStartWait } from '../service/start-wait.ts'
import type { Clock } from '../std/clock.ts'
import { createRandom } from '../std/random.ts'
import { createScope, type Scope } from '../std/scope.ts'
import { createLog, silentLog } from '../telemetry/log.ts'
import { defineCommand, durationOption, EXIT, type Io, usageError } from './line/command.ts'

/** Longest that Redis may take to be there at the start; it is tried again for so long. */
const OPEN_MS = 60_000
/** Longest that one such try may take. */
const TRY_MS = 15_000
/** The numbers are forgotten after this, milliseconds: by then they have been looked for. */
const KEEP_MS = 6 * 3_600_000
const HOLDERS = 2
/** How often the stop file is looked for, milliseconds. */
const LOOK_MS = 500

export const drillCanary = defineCommand({
  help: `
Writes numbers to Redis at a steady rate and holds locks that two holders contend for, through ingot's own library, and
notes what it was told as a history. When its time is over, the stop file appears, or by Ctrl-C or SIGTERM, it looks for
every number that it wrote. \`ingot check\` then says how many acknowledged writes Redis has lost, how many locks it
granted twice at once, and whether fences rose.

Times in the history are of the wall clock, so that it can be added to others by \`ingot drill history --with\`.`,
  examples: [
    'ingot drill canary --lock redis://127.0.0.1:6379 --for 30s --out out/canary.ndjson',
    'INGOT_LOCK_URL=redis+sentinel://a,b,c/ingot ingot drill canary --stop-file /out/stop --out /out/canary.ndjson',
  ],
  options: {
    lock: { type: 'string', value: 'URL', summary: 'Redis as for INGOT_LOCK_URL, which is the default' },
    fences: {
      type: 'string',
      value: 'URL',
      summary: 'store of fences, as for INGOT_LOCK_FENCES, which is the default',
    },
    out: { type: 'string', short: 'o', value: 'FILE', summary: 'the history to write', required: true },
    rate: { type: 'string', value: 'N', summary: 'writes a second', default: '20' },
    ttl: { type: 'string', value: 'TIME', summary: 'length of a lease', default: '10s' },
    for: { type: 'string', value: 'TIME', summary: 'how long (default: until it is ended)' },
    'stop-file': { type: 'string', value: 'FILE', summary: 'ends when this file appears' },
  },
  async run({ values }, io) {
    const { lockUrl, lockFences } = clientSettings()
    const url = values.lock ?? lockUrl
    if (url === undefined) throw usageError('--lock URL is missing, and so is INGOT_LOCK_URL')
    const rate = Number(values.rate)
    if (!(rate > 0 && rate <= 1_000)) throw usageError(`--rate is "${values.rate}", write a number up to 1000`)
    const forMs = values.for === undefined ? undefined : durationOption('for', values.for)
    const ttlMs = durationOption('ttl', values.ttl)
    const nowMs = wallOfMonotonic(io.clock)
    // closed last: until then somebody may have something to note
    using recorder = createRecorder(values.out, () => io.clock.wallMs(), nowMs)
    await using scope = createScope()
    const place = { url, fencesUrl: values.fences ?? lockFences }
    const wait = createStartWait({ ...io, log: createLog({ level: 'info', fd: 2 }) }, OPEN_MS)
    const redis = await wait({
      what: 'Redis',
      attemptMs: TRY_MS,
      late: 'REDIS_UNREACHABLE',
      attempt: (signal) => opened(scope, place, signal),
    })
    await runCanary({
      ...redis,
      run: `canary-${Math.floor(nowMs()).toString(36)}`,
      rate,
      ttlMs,
      clock: io.clock,
      random: createRandom(Math.floor(nowMs())),
      record: (entry) => void recorder.record(entry),
      nowMs,
      signal: endOf(scope, io, forMs, values['stop-file']),
    })
    io.stderr.write(`${recorder.count} events\n`)
    return EXIT.fine
  },
})

/** Milliseconds since the Unix epoch that no correction of the clock moves while the process runs. */
function wallOfMonotonic(clock: Clock): () => number {
  const originMs = clock.wallMs() - clock.monotonicMs()
  return () => originMs + clock.monotonicMs()
}

/** Where the canary writes, and where its fences come from. */
interface Place {
  readonly url: string
  readonly fencesUrl: string | undefined
}

/** Leaves nothing behind when it fails. */
async function opened(scope: Scope, place: Place, signal: AbortSignal) {
  const attempt = createScope()
  try {
    const redis = await open(attempt, place, signal)
    scope.defer(() => attempt.close())
    return redis
  } catch (failure) {
    await attempt.close()
    throw failure
  }
}

async function open(scope: Scope, place: Place, signal: AbortSignal) {
  const listeners = { message: () => {}, gap: () => {} }
  const connection = createRedisConnection(parseRedisUrl(place.url), { log: silentLog, listeners })
  await connection.connect(signal)
  scope.defer(() => connection[Symbol.asyncDispose]())
  const lockers: Locker[] = []
  for (let holder = 0; holder < HOLDERS; holder++) lockers.push(await openLocker(scope, place, signal))
  return { numbers: createNumbers(connection, KEEP_MS), lockers }
}

async function openLocker(scope: Scope, { url, fencesUrl }: Place, signal: AbortSignal): Promise<Locker> {
  const fences = fencesUrl === undefined ? undefined : await openFenceStore(fencesUrl, signal)
  if (fences !== undefined) scope.defer(() => fences[Symbol.asyncDispose]())
  const backend = await openLockBackend(url, fences === undefined ? {} : { fences }, signal)
  scope.defer(() => backend[Symbol.asyncDispose]())
  const locker = createLocker(backend)
  scope.defer(() => locker[Symbol.asyncDispose]())
  return locker
}

function endOf(scope: Scope, io: Io, forMs: number | undefined, stopFile: string | undefined): AbortSignal {
  const over = new AbortController()
  const end = (): void => over.abort(new Error('the time is over'))
  if (forMs !== undefined) {
    const timer = io.clock.timer(forMs, end)
    scope.defer(() => timer.cancel())
  }
  const signal = AbortSignal.any([over.signal, io.signal])
  // the canary's end, or Ctrl-C, ends the watch: that is no failure
  if (stopFile !== undefined) untilThere(stopFile, io.clock, signal).then(end, () => {})
  return signal
}

async function untilThere(file: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!existsSync(file)) await clock.sleep(LOOK_MS, signal)
}
