import { expect, test } from 'vitest'
import { createRandom } from '../../../../std/random.ts'
import { createScope, type Scope } from '../../../../std/scope.ts'
import { needed, present } from '../../../present.ts'
import { findRedisPrograms } from '../../../redis/processes.ts'
import { type SentinelServers, startSentinel } from '../../../redis/servers.ts'
import { untilHealthy } from './sentinel.ts'
import { sentinelFaults } from './sentinel-faults.ts'

const PROGRAM = 'redis-server'

const start = (scope: Scope): Promise<SentinelServers> => needed(scope, 'Redis', startSentinel({ program: PROGRAM }))

async function expectHealthy(servers: SentinelServers): Promise<void> {
  const ofEach = <T>(ask: (port: number) => Promise<T>): Promise<T[]> => Promise.all(servers.sentinels.map(ask))
  expect(await ofEach((port) => servers.cli(port, 'ping'))).toEqual(['PONG', 'PONG', 'PONG'])
  await untilHealthy(servers, AbortSignal.timeout(10_000))
}

test.for([
  ['sentinel-kill', 'KILL'],
  ['sentinel-stop', 'STOP'],
] as const)('%s: another Sentinel reports it down, and the undo restores it', async ([name, signalName], { skip }) => {
  present(await findRedisPrograms(PROGRAM), skip)
  await using scope = createScope()
  const servers = await start(scope)
  const signal = AbortSignal.timeout(100_000)
  const injection = await sentinelFaults(servers)
    .find((fault) => fault.name === name)
    ?.prepare(createRandom(1), signal)
  if (injection === undefined) throw new Error(`there is no fault ${name}`)
  await injection.inject(signal)
  await expect(injection.prove(AbortSignal.abort(new Error('early')))).rejects.toThrow('early')
  const proof = await injection.prove(signal)
  const [, witness, victim] =
    new RegExp(`^Sentinel (\\d+) saw Sentinel (\\d+) down after SIG${signalName}$`).exec(proof) ?? []
  expect(servers.sentinels).toContain(Number(witness))
  expect(servers.sentinels).toContain(Number(victim))
  expect(witness).not.toBe(victim)
  await injection.undo(signal)
  await expectHealthy(servers)
  await injection.undo(signal)
  await expectHealthy(servers)
})
