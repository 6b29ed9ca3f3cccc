import { expect, test } from 'vitest'
import { createRandom } from '../../../std/random.ts'
import { createScope, type Scope } from '../../../std/scope.ts'
import { needed, present } from '../../present.ts'
import { findRedisPrograms } from '../../redis/processes.ts'
import { type SentinelServers, startSentinel } from '../../redis/servers.ts'
import { sentinelKill, sentinelStop } from './sentinel-faults.ts'

const PROGRAM = 'redis-server'

async function raise(scope: Scope): Promise<SentinelServers> {
  return needed(scope, 'Redis', startSentinel({ program: PROGRAM }))
}

async function expectWhole(servers: SentinelServers): Promise<void> {
  const ofEach = <T>(ask: (port: number) => Promise<T>): Promise<T[]> => Promise.all(servers.sentinels.map(ask))
  expect(await ofEach((port) => servers.cli(port, 'ping'))).toEqual(['PONG', 'PONG', 'PONG'])
  const primary = await servers.master()
  expect(await ofEach((port) => servers.primaryBy(port))).toEqual([primary, primary, primary])
}

test('a Sentinel that is killed is seen down by another one, and is back afterwards', async ({ skip }) => {
  present(await findRedisPrograms(PROGRAM), skip)
  await using scope = createScope()
  const servers = await raise(scope)
  const proof = await sentinelKill(servers, createRandom(1), AbortSignal.timeout(60_000))
  const [, witness, victim] = /^Sentinel (\d+) saw Sentinel (\d+) down after SIGKILL, and up again$/.exec(proof) ?? []
  expect(servers.sentinels).toContain(Number(witness))
  expect(servers.sentinels).toContain(Number(victim))
  expect(witness).not.toBe(victim)
  await expectWhole(servers)
})

test.for([
  ['killed', sentinelKill],
  ['stopped', sentinelStop],
] as const)('a Sentinel that is %s is back also when the run ends early', async ([, strike], { skip }) => {
  present(await findRedisPrograms(PROGRAM), skip)
  await using scope = createScope()
  const servers = await raise(scope)
  await expect(strike(servers, createRandom(1), AbortSignal.abort(new Error('early')))).rejects.toThrow('early')
  await expect.poll(() => expectWhole(servers).then(() => 'whole', String), { timeout: 10_000 }).toBe('whole')
})
