/** Killed holders of permits and killed leaders, on a real Redis. Waiters follow when the lease ends. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { HeldReport } from '../testing/locks/feature-peer.ts'
import { forkTestProgram, reap } from '../testing/locks/processes.ts'
import { type Absent, present } from '../testing/present.ts'
import { type RedisServers, startStandalone } from '../testing/redis/servers.ts'
import { newToken } from './token.ts'

let servers: RedisServers | Absent

beforeAll(async () => {
  servers = await startStandalone()
})
afterAll(async () => {
  if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
})

interface Started {
  readonly child: ChildProcess
  readonly report: Promise<HeldReport>
}

function start(stack: AsyncDisposableStack, args: readonly string[]): Started {
  const child = forkTestProgram('locks/feature-peer.ts', args)
  stack.defer(() => reap(child))
  const report = once(child, 'message', { signal: AbortSignal.timeout(60_000) }).then(([first]) => first as HeldReport)
  return { child, report }
}

test('each killed holder of a permit is followed by a waiter with a greater fence', async ({ skip }) => {
  const { url } = present(servers, skip)
  await using stack = new AsyncDisposableStack()
  const args = [url, 'semaphore', newToken(), '2']
  const first = [start(stack, args), start(stack, args)]
  const held = await Promise.all(first.map(({ report }) => report))
  expect(new Set(held.map(({ key }) => key)).size).toBe(2)

  const next = [start(stack, args), start(stack, args)]
  const early = await Promise.race([
    ...next.map(({ report }) => report),
    new Promise((r) => setTimeout(r, 3_000, 'none')),
  ])
  // longer than a lease: living holders keep their permits
  expect(early).toBe('none')
  for (const { child } of first) child.kill('SIGKILL')
  const followed = await Promise.all(next.map(({ report }) => report))
  for (const { key, fence = 0n } of held) {
    expect(followed.find((other) => other.key === key)?.fence ?? 0n).toBeGreaterThan(fence)
  }
})

test('a killed leader is followed by one of the candidates, with a greater fence', async ({ skip }) => {
  const { url } = present(servers, skip)
  await using stack = new AsyncDisposableStack()
  const args = [url, 'leader', newToken()]
  const leader = start(stack, args)
  const before = await leader.report
  const candidates = [start(stack, args), start(stack, args)]
  leader.child.kill('SIGKILL')
  const after = await Promise.race(candidates.map(({ report }) => report))
  expect(after.fence ?? 0n).toBeGreaterThan(before.fence ?? 0n)
  const both = Promise.all(candidates.map(({ report }) => report))
  both.catch(() => undefined)
  expect(await Promise.race([both, new Promise((r) => setTimeout(r, 3_000, 'one'))])).toBe('one')
})
