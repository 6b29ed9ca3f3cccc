import { describe, expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import { COMPONENTS, createFakeRelease } from '../../testing/kube/fake-release.ts'
import { FAULT_NAMES, type FaultName, isForcedOnRedis } from '../plan.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'
import type { Change, Installation } from '../targets/kubernetes/installation.ts'
import type { Machines } from '../targets/kubernetes/machines.ts'
import type { Injection } from './fault.ts'
import { kubernetesFaults } from './kubernetes.ts'

const { signal } = new AbortController()

type Upgrades = Pick<Installation, 'upgrade'>

function createCluster() {
  const release = createFakeRelease()
  const { calls, machines, workloads, redis } = release
  let replicas: number = COMPONENTS.service
  const installation: Upgrades = {
    async upgrade({ tag, replicas: wanted }: Change) {
      calls.push('helm upgrade')
      if (tag !== undefined) release.renew('service', `ingot:${tag}`)
      if (wanted === undefined) return
      replicas = wanted
      const [first] = release.pods
      if (first !== undefined) release.pods.push({ ...first, name: 'service-3', uid: 'uid-new' })
    },
  }
  const context: DrillContext = {
    setup: { mode: 'sentinel', store: 'postgres', lock: 'auto' },
    workloads,
    redis,
    machines,
    say: () => {},
    wanted: () => ({ ...COMPONENTS, service: replicas }),
  }
  return { calls, context, machines, installation }
}

async function prepared(
  { context, installation }: Pick<ReturnType<typeof createCluster>, 'context' | 'installation'>,
  name: FaultName,
): Promise<Injection> {
  return kubernetesFaults(context, installation)[name].prepare(createRandom(1), signal)
}

const CASES: readonly (readonly [FaultName, calls: readonly string[], evidence: RegExp])[] = [
  ['primary-kill', ['kill c-redis-0', 'delete redis-0 at once'], /gone: redis-0 .*primaries were redis-0, are redis-1/],
  ['primary-delete', ['delete redis-0'], /gone: redis-0 .*primaries were redis-0, are redis-1/],
  ['service-kill', ['kill c-service-0', 'delete service-0 at once'], /gone: service-0/],
  [
    'primary-service-kill',
    ['kill c-redis-0', 'kill c-service-0', 'delete redis-0 at once', 'delete service-0 at once'],
    /gone: redis-0 .*service-0/,
  ],
  [
    'primary-sentinel-kill',
    ['kill c-redis-0', 'kill c-sentinel-0', 'delete redis-0 at once', 'delete sentinel-0 at once'],
    /gone: redis-0 .*sentinel-0/,
  ],
  [
    'redis-all-kill',
    [0, 1, 2].map((n) => `kill c-redis-${n}`).concat([0, 1, 2].map((n) => `delete redis-${n} at once`)),
    /redis-0 .*redis-1 .*redis-2/,
  ],
  ['upgrade-image', ['helm upgrade'], /all 3 pods of the service are new, with image ingot:e2e-next/],
  ['upgrade-replicas', ['helm upgrade'], /3 pods of the service before, 4 after; new: service-3/],
  ['node-freeze', ['freeze n1'], /n1 frozen and NotReady; primary redis-0, then redis-1/],
]

describe('each fault breaks its target and proves it', () => {
  test.each(CASES)('%s', async (name, expected, evidence) => {
    const { calls, ...cluster } = createCluster()
    const injection = await prepared(cluster, name)
    expect(calls).toEqual([])
    try {
      await injection.inject(signal)
      expect(calls).toEqual(expected)
      expect(await injection.prove(signal)).toMatch(evidence)
    } finally {
      await injection.undo(signal)
    }
  })

  test('restart-all', async () => {
    const { calls, ...cluster } = createCluster()
    const injection = await prepared(cluster, 'restart-all')
    await injection.inject(signal)
    expect(calls).toEqual(['roll service', 'roll redis', 'roll sentinel'])
    expect(await injection.prove(signal)).toContain('9 pods have new UIDs')
  })
})

test('a fault that changed nothing is not proven', async () => {
  const cluster = createCluster()
  const still = { ...cluster, installation: { upgrade: async () => {} } }
  const injection = await prepared(still, 'upgrade-image')
  await injection.inject(signal)
  await expect(injection.prove(signal)).rejects.toThrow('only 0 of 3 pods of the service are new')
})

test('without access to the machines, pods are deleted and nodes cannot be frozen', async () => {
  const { calls, context, installation } = createCluster()
  const { machines: _machines, ...remote } = context
  const injection = await prepared({ context: remote, installation }, 'primary-kill')
  await injection.inject(signal)
  expect(calls).toEqual(['delete redis-0 at once'])
  await expect(prepared({ context: remote, installation }, 'node-freeze')).rejects.toThrow(
    'cannot be frozen from outside',
  )
})

describe('a frozen node is thawed', () => {
  test('once, even if the fault is undone twice', async () => {
    const { calls, ...cluster } = createCluster()
    const injection = await prepared(cluster, 'node-freeze')
    await injection.undo(signal)
    expect(calls).toEqual([])
    await injection.inject(signal)
    await injection.undo(signal)
    await injection.undo(signal)
    expect(calls).toEqual(['freeze n1', 'thaw n1'])
  })

  test('even if the call that froze it failed afterwards', async () => {
    const { calls, context, machines, installation } = createCluster()
    const failing: Machines = {
      ...machines,
      async freeze(node, options) {
        await machines.freeze(node, options)
        throw new Error('time-out')
      },
    }
    const injection = await prepared({ context: { ...context, machines: failing }, installation }, 'node-freeze')
    await expect(injection.inject(signal)).rejects.toThrow('time-out')
    await injection.undo(signal)
    expect(calls).toEqual(['freeze n1', 'thaw n1'])
  })
})

test('a forced loss of Redis servers loses locks', () => {
  const cluster = createCluster()
  const faults = kubernetesFaults(cluster.context, cluster.installation)
  for (const name of FAULT_NAMES) expect(faults[name]).toMatchObject({ name, losesLocks: isForcedOnRedis(name) })
})
