import { describe, expect, test } from 'vitest'
import type { Kubectl } from '../../kube/kubectl.ts'
import { createRandom } from '../../std/random.ts'
import { FAULT_NAMES, type FaultName, isForcedOnRedis } from '../plan.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'
import type { Machines } from '../targets/kubernetes/machines.ts'
import type { Injection } from './fault.ts'
import { kubernetesFaults } from './kubernetes.ts'

const { signal } = new AbortController()
const COMPONENTS = { service: 3, redis: 3, sentinel: 3, postgres: 1, 'legacy-backend': 0 } as const

interface FakePod {
  readonly name: string
  uid: string
  readonly component: string
  readonly node: string
  image: string
}

/**
 * Creates a release with Sentinel whose controllers replace deleted pods immediately. redis-0 is on a node of its own.
 */
function createCluster() {
  let created = 0
  const pods: FakePod[] = Object.entries(COMPONENTS).flatMap(([component, count]) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${component}-${index}`,
      uid: `uid-${++created}`,
      component,
      node: component === 'postgres' ? 'n3' : `n${index + 1}`,
      image: 'ingot:e2e',
    })),
  )
  const calls: string[] = []
  let primary = 'redis-0'
  let frozen: string | undefined
  const replace = (name: string, image?: string): void => {
    const pod = pods.find((one) => one.name === name)
    if (pod === undefined) return
    pod.uid = `uid-${++created}`
    pod.image = image ?? pod.image
    if (name === primary) primary = name === 'redis-0' ? 'redis-1' : 'redis-0'
  }
  const infoOf = (pod: string): string =>
    pod === primary
      ? 'role:master\nconnected_slaves:2\n'
      : 'role:slave\nmaster_link_status:up\nmaster_sync_in_progress:0\nconnected_slaves:0\n'
  const isFrozen = (name: string): boolean => pods.find((one) => one.name === name)?.node === frozen
  const condition = (isReady: boolean) => [{ type: 'Ready', status: isReady ? 'True' : 'False' }]
  const kubectl = {
    context: 'a-context',
    namespace: 'ns',
    async run(args: readonly string[]) {
      calls.push(args.slice(0, 2).join(' '))
      const [verb, kind] = args
      const named = args.filter((arg) => pods.some(({ name }) => name === arg))
      if (verb === 'delete') for (const name of named) replace(name)
      if (kind === 'restart') for (const { name, component } of pods) if (component !== 'postgres') replace(name)
      return ''
    },
    async read(_schema: unknown, args: readonly string[]) {
      if (args[1] === 'nodes') {
        const items = ['n1', 'n2', 'n3'].map((name) => ({
          metadata: { name },
          status: { conditions: condition(name !== frozen) },
        }))
        return { items }
      }
      const items = pods.map(({ name, uid, component, node, image }) => ({
        metadata: { name, uid, labels: { 'app.kubernetes.io/component': component } },
        spec: { nodeName: node, containers: [{ name: 'main', image }] },
        status: {
          phase: 'Running',
          conditions: condition(node !== frozen),
          containerStatuses: [{ name: 'main', containerID: `containerd://c-${name}` }],
        },
      }))
      return { items }
    },
    async exec(at: string) {
      const [pod = ''] = at.split('/')
      if (isFrozen(pod)) throw new Error('no response')
      return pod.startsWith('sentinel') ? `${primary}.headless\n6379\n` : infoOf(pod)
    },
    forward: () => Promise.reject(new Error('not used')),
  } as unknown as Kubectl
  const machines: Machines = {
    async freeze(node) {
      calls.push(`freeze ${node}`)
      frozen = node
      if (isFrozen(primary)) primary = 'redis-1'
    },
    async thaw(node) {
      calls.push(`thaw ${node}`)
      frozen = undefined
    },
    isFrozen: async (node) => node === frozen,
    killContainer: async (_node, id) => void calls.push(`kill ${id}`),
  }
  let replicas: number = COMPONENTS.service
  const context: DrillContext = {
    setup: { mode: 'sentinel', store: 'postgres', lock: 'auto' },
    kubectl,
    machines,
    say: () => {},
    installation: {
      wanted: () => ({ ...COMPONENTS, service: replicas }),
      async upgrade(change) {
        calls.push('helm upgrade')
        if (change.tag !== undefined) {
          for (const { name, component } of pods) if (component === 'service') replace(name, `ingot:${change.tag}`)
        }
        if (change.replicas !== undefined) {
          replicas = change.replicas
          const fresh = { name: 'service-3', uid: 'uid-new', component: 'service', node: 'n1', image: 'ingot:e2e' }
          pods.push(fresh)
        }
      },
    },
  }
  return { calls, context, machines }
}

async function prepared(context: DrillContext, name: FaultName): Promise<Injection> {
  return kubernetesFaults(context)[name].prepare(createRandom(1), signal)
}

const CASES: readonly (readonly [FaultName, calls: readonly string[], evidence: RegExp])[] = [
  ['primary-kill', ['kill c-redis-0', 'delete pod'], /gone: redis-0 .*primaries were redis-0, are redis-1/],
  ['primary-delete', ['delete pod'], /gone: redis-0 .*primaries were redis-0, are redis-1/],
  ['service-kill', ['kill c-service-0', 'delete pod'], /gone: service-0/],
  ['primary-service-kill', ['kill c-redis-0', 'kill c-service-0', 'delete pod'], /gone: redis-0 .*service-0/],
  ['primary-sentinel-kill', ['kill c-redis-0', 'kill c-sentinel-0', 'delete pod'], /gone: redis-0 .*sentinel-0/],
  [
    'redis-all-kill',
    ['kill c-redis-0', 'kill c-redis-1', 'kill c-redis-2', 'delete pod'],
    /redis-0 .*redis-1 .*redis-2/,
  ],
  ['upgrade-image', ['helm upgrade'], /all 3 pods of the service are new, with image ingot:e2e-next/],
  ['upgrade-replicas', ['helm upgrade'], /3 pods of the service before, 4 after; new: service-3/],
  ['node-freeze', ['freeze n1'], /n1 frozen and NotReady; primary redis-0, then redis-1/],
]

describe('each fault breaks its target and proves it', () => {
  test.each(CASES)('%s', async (name, expected, evidence) => {
    const { calls, context } = createCluster()
    const injection = await prepared(context, name)
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
    const { calls, context } = createCluster()
    const injection = await prepared(context, 'restart-all')
    await injection.inject(signal)
    expect(calls).toEqual(['rollout restart', 'rollout status', 'rollout status', 'rollout status'])
    expect(await injection.prove(signal)).toContain('9 pods have new UIDs')
  })
})

test('a fault that changed nothing is not proven', async () => {
  const { context } = createCluster()
  const still = { ...context, installation: { ...context.installation, upgrade: async () => {} } }
  const injection = await prepared(still, 'upgrade-image')
  await injection.inject(signal)
  await expect(injection.prove(signal)).rejects.toThrow('only 0 of 3 pods of the service are new')
})

test('without access to the machines, pods are deleted and nodes cannot be frozen', async () => {
  const { calls, context } = createCluster()
  const { machines: _machines, ...remote } = context
  const injection = await prepared(remote, 'primary-kill')
  await injection.inject(signal)
  expect(calls).toEqual(['delete pod'])
  await expect(prepared(remote, 'node-freeze')).rejects.toThrow('cannot be frozen from outside')
})

describe('a frozen node is thawed', () => {
  test('once, even if the fault is undone twice', async () => {
    const { calls, context } = createCluster()
    const injection = await prepared(context, 'node-freeze')
    await injection.undo(signal)
    expect(calls).toEqual([])
    await injection.inject(signal)
    await injection.undo(signal)
    await injection.undo(signal)
    expect(calls).toEqual(['freeze n1', 'thaw n1'])
  })

  test('even if the call that froze it failed afterwards', async () => {
    const { calls, context, machines } = createCluster()
    const failing: Machines = {
      ...machines,
      async freeze(node, options) {
        await machines.freeze(node, options)
        throw new Error('time-out')
      },
    }
    const injection = await prepared({ ...context, machines: failing }, 'node-freeze')
    await expect(injection.inject(signal)).rejects.toThrow('time-out')
    await injection.undo(signal)
    expect(calls).toEqual(['freeze n1', 'thaw n1'])
  })
})

test('a forced loss of Redis servers loses locks', () => {
  const faults = kubernetesFaults(createCluster().context)
  for (const name of FAULT_NAMES) expect(faults[name]).toMatchObject({ name, losesLocks: isForcedOnRedis(name) })
})
