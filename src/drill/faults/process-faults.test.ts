import { describe, expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import { createFakeClock } from '../../testing/clock.ts'
import type { LockServer, PacketHold, Replica } from '../targets/processes/parts.ts'
import type { FaultInjection, Injection } from './fault.ts'
import { lockServerFaults } from './lock-server.ts'
import { latePacket, lostAnswer, type Probe } from './packets.ts'
import { replicaKill, replicaKillAt, replicaStop, replicaStopAt } from './replica.ts'
import { serverKill } from './server.ts'

const { signal } = new AbortController()

/** Creates parts that record the calls made to them. */
function createParts() {
  const calls: string[] = []
  const call = async (name: string): Promise<void> => void calls.push(name)
  const server = (name: string) => ({
    kill: () => call(`${name} kill`),
    proveKilled: async () => `${name} is dead`,
    start: () => call(`${name} start`),
    freeze: () => call(`${name} freeze`),
    proveFrozen: async () => `${name} is stopped`,
    thaw: () => call(`${name} thaw`),
  })
  const lockServer: LockServer = {
    ...server('redis'),
    flush: async () => 'FLUSHALL returned OK',
    failover: { request: () => call('redis failover'), prove: async () => 'another primary' },
  }
  const replicas = ['a', 'b', 'c'].map((name): Replica => {
    const hold = (kind: string) => (): PacketHold => {
      calls.push(`${name} ${kind}`)
      let bytes = 9
      const open = (): number => {
        const opened = bytes
        bytes = 0
        calls.push(`open ${opened}`)
        return opened
      }
      return { caught: Promise.resolve(), release: open }
    }
    return {
      ...server('replica'),
      name,
      url: '',
      arm: (point) => ({
        reached: async () => `at ${point}`,
        disarm: () => void calls.push('disarm'),
      }),
      link: { hold: hold('hold'), mute: hold('mute') },
    }
  })
  const probe: Probe = {
    fresh: () => ({ digest: 'd', value: '1', spellings: [] }) as never,
    marker: () => Buffer.from('marker'),
    async save(replica) {
      calls.push(`save ${replica.name}`)
      return 'info'
    },
  }
  return { calls, replicas, lockServer, probe }
}

function prepared(fault: FaultInjection): Promise<Injection> | Injection {
  return fault.prepare(createRandom(3), signal)
}

interface Steps {
  readonly fault: FaultInjection
  readonly inject: readonly string[]
  readonly evidence: string
  readonly undo: readonly string[]
}

describe('each step makes one call', () => {
  const { calls, replicas, lockServer } = createParts()
  const parts = { replicas, ttlMs: 1_000 }
  const cases: readonly Steps[] = [
    { fault: replicaKill(parts), inject: ['replica kill'], evidence: 'replica is dead', undo: ['replica start'] },
    { fault: replicaStop(parts), inject: ['replica freeze'], evidence: 'replica is stopped', undo: ['replica thaw'] },
    { fault: replicaKillAt(parts, 'p'), inject: [], evidence: 'at p', undo: ['disarm', 'replica start'] },
    { fault: replicaStopAt(parts, 'p'), inject: [], evidence: 'at p', undo: ['disarm', 'replica thaw'] },
    { fault: serverKill('s', lockServer), inject: ['redis kill'], evidence: 'redis is dead', undo: ['redis start'] },
  ]
  const lockCases = lockServerFaults(lockServer, 1_000)

  test.each(cases.map((one) => ({ ...one, name: one.fault.name })))('$name', async ({ fault, ...expected }) => {
    const injection = await prepared(fault)
    expect(calls.splice(0)).toEqual([])
    await injection.inject(signal)
    expect(calls.splice(0)).toEqual(expected.inject)
    expect(await injection.prove(signal)).toContain(expected.evidence)
    expect(calls.splice(0)).toEqual([])
    await injection.undo(signal)
    expect(calls.splice(0)).toEqual(expected.undo)
  })

  test.each(lockCases.map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
    const injection = await prepared(fault)
    await injection.inject(signal)
    expect(await injection.prove(signal)).toMatch(/dead|stopped|OK|another primary/)
    await injection.undo(signal)
    calls.splice(0)
  })
})

test('only a freeze of a lock server without a replica keeps the locks', () => {
  const { lockServer } = createParts()
  const losesLocks = (server: LockServer) =>
    Object.fromEntries(lockServerFaults(server, 1_000).map((fault) => [fault.name, fault.losesLocks]))
  expect(losesLocks(lockServer)).toEqual({
    'lock-server-kill': true,
    'lock-server-freeze': true,
    'lock-server-flush': true,
    'lock-server-failover': true,
  })
  const { failover: _failover, ...single } = lockServer
  expect(losesLocks(single)).toEqual({
    'lock-server-kill': true,
    'lock-server-freeze': false,
    'lock-server-flush': true,
  })
})

test('a late packet is held until its sender has given up, and delivered while another replica saves', async () => {
  const { calls, replicas, probe } = createParts()
  const clock = createFakeClock()
  const injection = await prepared(latePacket({ replicas, probe, clock }, { afterMs: [10, 10] }))
  await injection.inject(signal)
  const [held, first] = calls.splice(0)
  expect(held).toMatch(/^[abc] hold$/)
  expect(first).toBe(`save ${held?.[0]}`)
  const proof = injection.prove(signal)
  await clock.advance(10)
  expect(await proof).toContain(`9 bytes from ${held?.[0]} were delivered`)
  const [second, opened] = calls.splice(0)
  expect(second).toMatch(/^save [abc]$/)
  expect(second).not.toBe(first)
  expect(opened).toBe('open 9')
  await injection.undo(signal)
  await injection.undo(signal)
  expect(calls).toEqual(['open 0', 'open 0'])
})

test('a fault that held no packet is not proven', async () => {
  const { replicas, probe } = createParts()
  const clock = createFakeClock()
  const injection = await prepared(latePacket({ replicas, probe, clock }, { afterMs: [10, 10] }))
  await injection.inject(signal)
  // undone before the delivery, so the hold is empty
  await injection.undo(signal)
  const proof = injection.prove(signal)
  proof.catch(() => {})
  await clock.advance(10)
  await expect(proof).rejects.toThrow('was delivered late')
})

test('a save that never passes is an error, and its hold is released', async () => {
  const { calls, replicas, probe } = createParts()
  const clock = createFakeClock()
  const never: PacketHold = { caught: new Promise(() => {}), release: () => calls.push('open') }
  const silent = replicas.map((replica) => ({ ...replica, link: { hold: () => never, mute: () => never } }))
  const injection = await prepared(lostAnswer({ replicas: silent, probe, clock }))
  const injected = injection.inject(signal)
  injected.catch(() => {})
  await clock.advance(5_000)
  await expect(injected).rejects.toThrow('no save passed within 5000 ms')
  await injection.undo(signal)
  expect(calls.at(-1)).toBe('open')
})
