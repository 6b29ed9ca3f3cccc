/**
 * The canary writes numbers to Redis at a steady rate, and two holders contend for locks, each through its own
 * connection. It records every response, and reads back every number at the end. Its record shows the losses of Redis,
 * which clients of a store with a unique index cannot observe.
 */

import { IngotError } from '../../../errors/error.ts'
import type { Grant } from '../../../lock/engine/grant.ts'
import type { Locker } from '../../../lock/locker.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Random } from '../../../std/random.ts'
import { CANARY_LOCKS } from '../../checkers/canary.ts'
import type { Entry } from '../../history.ts'
import { redisErrorIn } from '../../redis-error.ts'
import type { Numbers } from './numbers.ts'

/** Parts and settings of a canary. */
export interface Canary {
  /** Name of the run. The keys contain it. */
  readonly run: string
  readonly numbers: Numbers
  /** Two or more lockers that share only the lock service. */
  readonly lockers: readonly Locker[]
  /** Writes per second. */
  readonly rate: number
  /** Length of a lease, in milliseconds. */
  readonly ttlMs: number
  readonly clock: Clock
  readonly random: Random
  readonly record: (entry: Entry) => void
  /** Returns the time of the record, in milliseconds. */
  readonly nowMs: () => number
  /** Ends the writes and the holds. The canary then reads back all numbers. */
  readonly signal: AbortSignal
}

/** Number of hash tags. With several, every primary of a cluster has some of the numbers and locks. */
const SETS = 16
const LOCKS = 6
/** Longest wait for a lock, in milliseconds. Another holder may keep it for most of a lease. */
const WAIT_MS = 15_000
/** Interval at which a holder checks its lease, and the pause between two grants, in milliseconds. */
const STEP_MS = 100
/** Numbers per lookup, and the number and interval of retries of a failed lookup. */
const LOOKUP_BATCH = 500
const LOOKUP_ATTEMPTS = 120
const RETRY_MS = 500

/** Resolves when every number was looked up, or when lookups have failed for a minute. */
export async function runCanary(canary: Canary): Promise<void> {
  const { run, record, lockers, random } = canary
  const phase = (key: string): void => record({ process: 'canary', op: `${run}.${key}`, f: 'phase', type: 'info', key })
  phase('canary-began')
  const holders = lockers.flatMap((locker, index) =>
    Array.from({ length: LOCKS }, (_, lock) => hold(canary, { locker, lock, name: `${index}`, random: random.fork() })),
  )
  const written = await write(canary)
  await Promise.all(holders)
  const isComplete = await readBack(canary, written)
  if (isComplete) phase('canary-ended')
}

/** Returns a key. Only the part within `{}` determines the slot of the key in a cluster. */
function setKey(run: string, number: number): string {
  return `ingot:canary:${run}:{${number % SETS}}`
}

/**
 * Writes at a steady rate, whatever the outcome of the earlier writes. Resolves with their number when all have
 * completed.
 */
async function write({ run, numbers, rate, record, clock, signal }: Canary): Promise<number> {
  const open = new Set<Promise<void>>()
  const beganMs = clock.monotonicMs()
  let count = 0
  while (!signal.aborted) {
    const base = { process: 'canary', op: `${run}.set-${++count}`, f: 'set', key: setKey(run, count) } as const
    record({ ...base, type: 'invoke', value: String(count) })
    const one = numbers.add(base.key, count).then(
      () => record({ ...base, type: 'ok' }),
      (thrown: unknown) => record({ ...base, type: 'info', error: errorOf(thrown) }),
    )
    open.add(one)
    void one.finally(() => open.delete(one))
    await pause(clock, beganMs + (count * 1_000) / rate - clock.monotonicMs(), signal)
  }
  await Promise.all(open)
  return count
}

interface Holder {
  readonly locker: Locker
  readonly lock: number
  readonly name: string
  readonly random: Random
}

async function hold(canary: Canary, holder: Holder): Promise<void> {
  const { run, clock, signal } = canary
  for (let turn = 1; !signal.aborted; turn++) {
    await holdOnce(canary, holder, `${run}.lock-${holder.lock}.${holder.name}.${turn}`)
    await pause(clock, STEP_MS, signal)
  }
}

async function holdOnce(canary: Canary, { locker, lock, name, random }: Holder, op: string): Promise<void> {
  const { record, run, signal, ttlMs, nowMs } = canary
  const base = { process: `canary-${name}`, op, f: 'acquire', key: `${CANARY_LOCKS}${run}/${lock}` } as const
  record({ ...base, type: 'invoke' })
  const grant = await locker.acquire(base.key, { ttlMs, waitMs: WAIT_MS, signal }).catch(errorOf)
  // read immediately: until this moment no other client can have been granted the lock
  const tMono = nowMs()
  if (typeof grant === 'string') return record({ ...base, type: 'info', error: grant })
  record({ ...base, type: 'ok', tMono, fence: String(grant.fence ?? 0n) })
  // most holds are short; a long one spans a failover
  const holdMs = random.chance(0.7) ? random.between(10, 300) : random.between(300, ttlMs * 0.8)
  const untilMono = await heldUntil(canary, grant, tMono, holdMs)
  record({ ...base, f: 'release', type: 'info', untilMono })
  await grant.release()
}

/**
 * Resolves with the last moment at which the lock was certainly held. The clock is read before the lease, so it is
 * never too late.
 */
async function heldUntil({ clock, nowMs, signal }: Canary, grant: Grant, fromMs: number, holdMs: number) {
  for (let untilMs = fromMs; ; ) {
    const now = nowMs()
    if (!grant.isHeld()) return untilMs
    untilMs = now
    if (signal.aborted || now - fromMs >= holdMs) return untilMs
    await pause(clock, Math.min(STEP_MS, fromMs + holdMs - now), signal)
  }
}

/** Resolves with true if every number was looked up. */
async function readBack(canary: Canary, written: number): Promise<boolean> {
  const all = Array.from({ length: written }, (_, index) => index + 1)
  const byKey = [...Map.groupBy(all, (number) => setKey(canary.run, number))]
  const results = await Promise.all(byKey.map(([key, numbers]) => readBackKey(canary, key, numbers)))
  return results.every((isRead) => isRead)
}

async function readBackKey(canary: Canary, key: string, numbers: readonly number[]): Promise<boolean> {
  const { record, run, clock } = canary
  for (let attempt = 1; attempt <= LOOKUP_ATTEMPTS; attempt++) {
    const base = { process: 'canary', op: `${run}.look-${key}.${attempt}`, f: 'members', key } as const
    record({ ...base, type: 'invoke' })
    try {
      record({ ...base, type: 'ok', value: (await found(canary, key, numbers)).join() })
      return true
    } catch (thrown) {
      record({ ...base, type: 'info', error: errorOf(thrown) })
    }
    await clock.sleep(RETRY_MS)
  }
  return false
}

async function found({ numbers: kept }: Canary, key: string, numbers: readonly number[]): Promise<readonly number[]> {
  const present: number[] = []
  for (let from = 0; from < numbers.length; from += LOOKUP_BATCH) {
    present.push(...(await kept.present(key, numbers.slice(from, from + LOOKUP_BATCH))))
  }
  return present
}

/** Errors of the network between the canary and Redis. */
const NETWORK_ERROR = /\b(ECONN[A-Z]+|ENOTFOUND|timed out)\b/

function errorOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  const word = redisErrorIn(message) ?? NETWORK_ERROR.exec(message)?.[1] ?? message.slice(0, 120)
  return thrown instanceof IngotError ? `${thrown.code} ${word}` : word
}

/** Waits for at least one turn of the event loop. Resolves early if the signal aborts; the caller must check it. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(Math.max(0, ms), signal).catch(() => {})
}
