/** `ingot drill canary`: records which writes and locks Redis acknowledges, independently of the service. */
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

/** How long the canary waits for Redis at the start, in milliseconds. */
const OPEN_MS = 60_000
/** Deadline of one attempt to connect, in milliseconds. */
const TRY_MS = 15_000
/** Time to live of the numbers in Redis, in milliseconds. They are read back before it ends. */
const KEEP_MS = 6 * 3_600_000
const HOLDERS = 2
/** Interval between two checks for the stop file, in milliseconds. */
const CHECK_MS = 500

export const drillCanary = defineCommand({
  help: `
Writes numbers to Redis at a steady rate, and holds locks that two holders compete for, through ingot's own library.
It records every response in a history. It ends after the given time, when the stop file appears, or on Ctrl-C or
SIGTERM. Then it reads back every number that it wrote. \`ingot check\` reports how many acknowledged writes Redis has
lost, how many locks it granted to two holders at once, and whether fences rose.

Times in the history are wall-clock times, so \`ingot drill history --with\` can merge it with others.`,
  examples: [
    'ingot drill canary --lock redis://127.0.0.1:6379 --for 30s --out out/canary.ndjson',
    'INGOT_LOCK_URL=redis+sentinel://a,b,c/ingot ingot drill canary --stop-file /out/stop --out /out/canary.ndjson',
  ],
  options: {
    lock: { type: 'string', value: 'URL', summary: 'address of Redis, default: INGOT_LOCK_URL' },
    fences: {
      type: 'string',
      value: 'URL',
      summary: 'fence store, default: INGOT_LOCK_FENCES',
    },
    out: { type: 'string', short: 'o', value: 'FILE', summary: 'the history to write', required: true },
    rate: { type: 'string', value: 'N', summary: 'writes per second', default: '20' },
    ttl: { type: 'string', value: 'TIME', summary: 'lease of each lock', default: '10s' },
    for: { type: 'string', value: 'TIME', summary: 'how long (default: until stopped)' },
    'stop-file': { type: 'string', value: 'FILE', summary: 'stop when this file appears' },
  },
  async run({ values }, io) {
    const { lockUrl, lockFences } = clientSettings()
    const url = values.lock ?? lockUrl
    if (url === undefined) throw usageError('neither --lock URL nor INGOT_LOCK_URL is set')
    const rate = Number(values.rate)
    if (!(rate > 0 && rate <= 1_000)) throw usageError(`--rate is "${values.rate}", write a number up to 1000`)
    const forMs = values.for === undefined ? undefined : durationOption('for', values.for)
    const ttlMs = durationOption('ttl', values.ttl)
    const nowMs = wallOfMonotonic(io.clock)
    // closed last, because the other parts may still record events
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

/** Returns milliseconds since the Unix epoch. Corrections of the system clock during the run do not change them. */
function wallOfMonotonic(clock: Clock): () => number {
  const originMs = clock.wallMs() - clock.monotonicMs()
  return () => originMs + clock.monotonicMs()
}

/** The addresses of Redis and of the fence store. */
interface Addresses {
  readonly url: string
  readonly fencesUrl: string | undefined
}

/** Opens Redis and the lockers. Closes them again if one fails. */
async function opened(scope: Scope, place: Addresses, signal: AbortSignal) {
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

async function open(scope: Scope, place: Addresses, signal: AbortSignal) {
  const listeners = { message: () => {}, gap: () => {} }
  const connection = createRedisConnection(parseRedisUrl(place.url), { log: silentLog, listeners })
  await connection.connect(signal)
  scope.defer(() => connection[Symbol.asyncDispose]())
  const lockers: Locker[] = []
  for (let holder = 0; holder < HOLDERS; holder++) lockers.push(await openLocker(scope, place, signal))
  return { numbers: createNumbers(connection, KEEP_MS), lockers }
}

async function openLocker(scope: Scope, { url, fencesUrl }: Addresses, signal: AbortSignal): Promise<Locker> {
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
  const end = (): void => over.abort(new Error('the given time has passed'))
  if (forMs !== undefined) {
    const timer = io.clock.timer(forMs, end)
    scope.defer(() => timer.cancel())
  }
  const signal = AbortSignal.any([over.signal, io.signal])
  // the end of the canary ends this wait too, which is not a failure
  if (stopFile !== undefined) untilThere(stopFile, io.clock, signal).then(end, () => {})
  return signal
}

async function untilThere(file: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!existsSync(file)) await clock.sleep(CHECK_MS, signal)
}
