/** The faults of a leader that every service with an ensemble must survive: it is killed, or frozen. */
import { expect } from 'vitest'
import type { LockBackend } from '../../lock/backend.ts'
import { newToken } from '../../lock/token.ts'
import { reportFault } from '../fault-report.ts'
import { type DeadHolder, nextGrant } from './dead-holder.ts'

/** An ensemble. Its servers have numbers, from 0. */
export interface Led {
  signal(server: number, name: 'KILL' | 'STOP' | 'CONT'): Promise<void>
  restart(server: number): Promise<void>
  leader(): Promise<number>
}

export interface DeadLeader extends Pick<DeadHolder, 'backend' | 'locker' | 'on'> {
  readonly servers: Led
  readonly fault: 'KILL' | 'STOP'
}

/** Longer than any election. */
const KEPT_MS = 20_000
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

async function kindOf(backend: LockBackend, wanted: Parameters<LockBackend['tryAcquire']>[0]): Promise<string> {
  return (await backend.tryAcquire(wanted, soon())).kind
}

/** Expects that the other servers grant, that a holder keeps its lock, and that fences rise, also when the leader is back. */
export async function expectNewLeader({ servers, backend, locker, on, fault }: DeadLeader): Promise<void> {
  const kept = { key: 'kept', token: newToken(), ttlMs: KEPT_MS }
  expect(await kindOf(backend, kept)).toBe('granted')
  const before = await nextGrant({ backend, locker }, 'next', performance.now())
  const leader = await servers.leader()
  const fromMs = performance.now()
  await servers.signal(leader, fault)
  const during = await nextGrant({ backend, locker }, 'next', fromMs)
  expect(during.fence).toBeGreaterThan(before.fence)
  expect(await kindOf(backend, { ...kept, token: newToken() })).toBe('held')
  await (fault === 'KILL' ? servers.restart(leader) : servers.signal(leader, 'CONT'))
  const after = await nextGrant({ backend, locker }, 'next', performance.now())
  expect(after.fence).toBeGreaterThan(during.fence)
  expect(await backend.release(kept, soon())).toEqual({ kind: 'released' })
  reportFault({ fault: `SIG${fault} of the leader`, on, outageMs: during.outageMs, seen: 'locks kept, fences rise' })
}
