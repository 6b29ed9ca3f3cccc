/**
 * Runs in a pod of the release, in the image of ingot. Two clients of the lock service compete for a few keys. By HTTP on
 * loopback, /report?since=MS returns figures since then.
 *
 * cluster.ts replaces the imports below by those of the image.
 */
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLocker, openFenceStore, openLockBackend } from '../../../../src/lock/index.ts'

interface Attempt {
  readonly done: number
  /** `OK`, or the code of the error. */
  readonly outcome: string
}

export interface LockReport {
  readonly sent: number
  readonly acknowledged: number
  readonly failed: Readonly<Record<string, number>>
  /** Longest time between two grants, milliseconds. */
  readonly stallMs: number
  /** Grants of a key while the other client held it. */
  readonly overlaps: number
  /** Grants whose fence is not above that of the grant before. */
  readonly fallen: number
}

const KEYS = ['a', 'b', 'c']
/** A waiter polls, so it may miss its turn several times. */
const TERMS = { waitMs: 5_000, ttlMs: 3_000 }
const attempts: Attempt[] = []
const overlaps: number[] = []
const fallen: number[] = []
const holders = new Map<string, { until: number }>()
const fencesOf = new Map<string, bigint>()

function noteGrant(key: string, fence: bigint | undefined): { until: number } {
  const now = Date.now()
  if ((holders.get(key)?.until ?? 0) > now) overlaps.push(now)
  const before = fencesOf.get(key) ?? 0n
  if (fence === undefined || fence <= before) fallen.push(now)
  else fencesOf.set(key, fence)
  // the lease that the client counts with: it began before the servers voted
  const holder = { until: now + TERMS.ttlMs }
  holders.set(key, holder)
  return holder
}

async function compete(): Promise<void> {
  const start = AbortSignal.timeout(60_000)
  const fences = await openFenceStore(process.env['INGOT_LOCK_FENCES'] ?? '', start)
  const locker = createLocker(await openLockBackend(process.env['INGOT_LOCK_URL'] ?? '', { fences }, start))
  for (let turn = 0; ; turn++) {
    const key = KEYS[turn % KEYS.length] ?? ''
    try {
      const grant = await locker.acquire(key, TERMS)
      const holder = noteGrant(key, grant.fence)
      attempts.push({ done: Date.now(), outcome: 'OK' })
      await sleep(20 * Math.random())
      // the key is free for others from here on, whatever happens to the release
      holder.until = 0
      await grant.release()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      attempts.push({ done: Date.now(), outcome: code })
      await sleep(100)
    }
  }
}

function report(since: number): LockReport {
  const now = Date.now()
  const seen = attempts.filter(({ done }) => done >= since)
  const good = seen.filter(({ outcome }) => outcome === 'OK').map(({ done }) => done)
  const bad = Object.groupBy(
    seen.filter(({ outcome }) => outcome !== 'OK'),
    ({ outcome }) => outcome,
  )
  const times = [since, ...good, now]
  return {
    sent: seen.length,
    acknowledged: good.length,
    failed: Object.fromEntries(Object.entries(bad).map(([outcome, list = []]) => [outcome, list.length])),
    stallMs: Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time))),
    overlaps: overlaps.filter((at) => at >= since).length,
    fallen: fallen.filter((at) => at >= since).length,
  }
}

// a client that cannot start ends the program, because nothing handles its rejection
void compete()
void compete()
createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://locker')
  response.end(JSON.stringify(report(Number(searchParams.get('since') ?? '0'))))
}).listen(9090, '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
