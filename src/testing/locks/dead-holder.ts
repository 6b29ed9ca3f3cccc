/** The faults of a lock's holder that every backend must survive: it is killed, or frozen beyond its lease. */
import { expect } from 'vitest'
import type { LockBackend } from '../../lock/backend.ts'
import type { Key } from '../../lock/lock.ts'
import { createLocker } from '../../lock/locker.ts'
import { newToken } from '../../lock/token.ts'
import { reportFault } from '../fault-report.ts'
import { startPeer } from './processes.ts'

export interface DeadHolder {
  /** URL by which the holder, another process, connects. */
  readonly url: string
  /** The contender. */
  readonly backend: LockBackend
  /** Lease of the holder, in milliseconds. */
  readonly ttlMs: number
  /** Options of the contender's locker. */
  readonly locker: NonNullable<Parameters<typeof createLocker>[1]>
  /** Name of the service in the report. */
  readonly on: string
  /** What the report says about the grant. */
  readonly seen: string
}

/** Acquires the key. Resolves with its fence and the time since `fromMs`. */
export async function nextGrant(
  { backend, locker: options }: Pick<DeadHolder, 'backend' | 'locker'>,
  key: Key,
  fromMs: number,
) {
  await using locker = createLocker(backend, options)
  await using grant = await locker.acquire(key)
  return { fence: grant.fence ?? 0n, outageMs: performance.now() - fromMs }
}

/** Expects that the key of a dead holder is granted with a higher fence, and that a frozen holder learns of its loss. */
export async function expectSuccession(drill: DeadHolder): Promise<void> {
  for (const [name, end] of [
    ['killed', 'SIGKILL'],
    ['frozen', 'SIGSTOP'],
  ] as const) {
    await using peer = await startPeer(drill.url)
    const wanted = { key: name, token: newToken(), ttlMs: drill.ttlMs }
    const held = await peer.tryAcquire(wanted)
    if (held.kind !== 'granted') throw new Error(`expected a grant, got ${held.kind}`)
    const fromMs = performance.now()
    peer.signal(end)
    const next = await nextGrant(drill, name, fromMs)
    expect(next.fence).toBeGreaterThan(held.fence ?? 0n)
    const fault = `holder ${name}, lease ${drill.ttlMs / 1_000} s`
    reportFault({ fault, on: drill.on, outageMs: next.outageMs, seen: drill.seen })
    if (end === 'SIGKILL') continue
    peer.signal('SIGCONT')
    expect(await peer.extend(wanted)).toEqual({ kind: 'lost' })
  }
}
