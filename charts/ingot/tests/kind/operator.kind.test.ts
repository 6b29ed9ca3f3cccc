/**
 * The operator beside the release on a real cluster, with faults under load. Needs kind with the images ingot:dev and
 * redis:8.0. The figures are printed and written to out/chart-kind/operator.json.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  clusterProblems,
  deletePod,
  eventually,
  everythingReady,
  inPod,
  installOperator,
  kubectl,
  operatorKubectl,
  operatorLeader,
  podsOf,
  podUids,
  removeOperator,
  requestHandover,
  roleLabels,
  rolesOf,
  signal,
  signalOperator,
  thePrimary,
  topologyOf,
  upgrade,
  type Values,
} from './cluster.ts'
import { isSentinelHealthy, keepFigures, measureFault, release } from './faults.ts'

keepFigures('operator')

/** Rounds of the measurement of how soon the status shows a lost primary. */
const ROUNDS = Number(process.env['OPERATOR_ROUNDS'] ?? 5)
/** Restarts of the leader in D5. */
const RESTARTS = Number(process.env['OPERATOR_RESTARTS'] ?? 20)
const SENTINELS = { 'redis.mode': 'sentinel', 'redis.sentinel.replicas': 5, 'redis.sentinel.hardAntiAffinity': false }

async function isCondition(type: string, wanted: string): Promise<boolean> {
  const { status } = await topologyOf()
  return status?.conditions?.some((one) => one.type === type && one.status === wanted) === true
}

/** The role of each server as it reports it, by pod. */
async function reportedRoles(): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries((await rolesOf()).map(({ pod, role }) => [pod, role]))
}

async function labelsAgree(): Promise<boolean> {
  const [labels, roles] = [await roleLabels(), await reportedRoles()]
  return Object.keys(roles).length > 0 && Object.entries(roles).every(([pod, role]) => labels[pod] === role)
}

async function isSettled(isHealthy: () => Promise<boolean>): Promise<boolean> {
  return (await isHealthy()) && (await isCondition('Ready', 'True')) && (await labelsAgree())
}

/** Time from `sinceMs` until the status shows no more of the pod as primary, in milliseconds. */
async function untilStatusMoves(pod: string, sinceMs: number): Promise<number> {
  for (;;) {
    const { status } = await topologyOf()
    if (status?.primaries?.every((one) => one.pod !== pod) === true) return Date.now() - sinceMs
    if (Date.now() - sinceMs > 60_000) throw new Error(`the status still shows ${pod} as primary after a minute`)
    await sleep(100)
  }
}

/** Resolves with the pod that leads, when it is another one than `last`. After a clean end there is none for a moment. */
async function nextLeader(last: string): Promise<string> {
  let leader = ''
  await eventually('a process leads', 60, async () => (leader = await operatorLeader()) !== '' && leader !== last)
  return leader
}

/** Deletes the pod that leads without a grace period. Resolves with its name. */
async function killLeader(last: string): Promise<string> {
  const leader = await nextLeader(last)
  await operatorKubectl(['delete', 'pod', leader, '--force', '--grace-period=0', '--wait=false'])
  await sleep(1_000 + Math.random() * 4_000)
  return leader
}

/** Installs the operator into the loaded release, and has the release render its RedisTopology. */
function withOperator(mode: string, values: Values, isHealthy: () => Promise<boolean>): void {
  afterAll(removeOperator, 300_000)

  test('installing it fails no write, and changes no pod and no role', async () => {
    await eventually('Redis is healthy', 120, isHealthy)
    const [uids, roles] = [await podUids(), await reportedRoles()]
    const { failed } = await measureFault(mode, 'installing the operator', async () => {
      await installOperator()
      await upgrade(values)
      await eventually('the operator observes the release', 90, () => isSettled(isHealthy))
    })
    expect(failed).toBe(0)
    expect(await podUids()).toEqual(uids)
    expect(await reportedRoles()).toEqual(roles)
  })
}

describe('sentinel', () => {
  const isHealthy = (): Promise<boolean> => isSentinelHealthy(5)
  beforeAll(removeOperator, 300_000)
  release('sentinel', SENTINELS)
  withOperator('sentinel', SENTINELS, isHealthy)

  test('the primary and the next one are killed, each as soon as it has an address (D1)', async () => {
    const first = await thePrimary()
    await measureFault('sentinel', 'D1: two primaries, one after the other', async () => {
      await deletePod(first, 'by force')
      const address = ['get', 'pod', first, '--output=jsonpath={.status.podIP}']
      await eventually('the new pod has an address', 60, async () => (await kubectl(address)) !== '')
      await eventually('there is a primary', 60, async () => (await thePrimary()) !== '')
      await deletePod(await thePrimary(), 'by force')
    })
    await eventually('servers, Sentinels, labels and status agree', 120, () => isSettled(isHealthy))
  })

  test('the primary and a Sentinel are killed at the same time (D3)', async () => {
    const primary = await thePrimary()
    await measureFault('sentinel', 'D3: the primary and a Sentinel', async () => {
      await Promise.all([deletePod(primary, 'by force'), deletePod('ingot-sentinel-0', 'by force')])
    })
    await eventually('servers, Sentinels, labels and status agree', 120, () => isSettled(isHealthy))
  })

  test('a primary that is gone or silent leaves the status', async () => {
    const times: Record<'deleted' | 'silent', number[]> = { deleted: [], silent: [] }
    let frozen = ''
    for (let round = 0; round < ROUNDS; round++) {
      const deleted = await thePrimary()
      const from = Date.now()
      await kubectl(['delete', 'pod', deleted, '--force', '--grace-period=0', '--wait=false'])
      times.deleted.push(await untilStatusMoves(deleted, from))
      await eventually('it is replaced', 120, () => isSettled(isHealthy))
      frozen = await thePrimary()
      await signal(frozen, 'STOP')
      times.silent.push(await untilStatusMoves(frozen, Date.now()))
      // until the Sentinels have promoted another one
      await eventually('another primary', 60, async () => (await topologyOf()).status?.primaries?.length === 1)
      await signal(frozen, 'CONT')
      await eventually('it is replaced', 120, () => isSettled(isHealthy))
    }
    process.stdout.write(`${JSON.stringify({ 'until the status shows it, ms': times })}\n`)
    expect((await topologyOf()).status?.lastFailover).toMatchObject({ from: frozen, planned: false })
  }, 900_000)

  test('a hand-over on request loses no write', async () => {
    const before = await thePrimary()
    const { failed } = await measureFault('sentinel', 'kubectl ingot handover', () => requestHandover())
    await eventually('everything agrees', 60, () => isSettled(isHealthy))
    expect(await thePrimary()).not.toBe(before)
    expect((await topologyOf()).status?.lastFailover).toMatchObject({ from: before, planned: true, reason: 'Handover' })
    process.stdout.write(`${JSON.stringify({ 'failed writes during a hand-over': failed })}\n`)
  })

  test(`${RESTARTS} kills and pauses of the operator change no role (D5)`, async () => {
    const roles = await reportedRoles()
    await measureFault('sentinel', `D5: ${RESTARTS} kills and pauses of the operator`, async () => {
      let last = ''
      for (let restart = 0; restart < RESTARTS; restart++) {
        if (restart % 4 !== 3) last = await killLeader(last)
        else {
          last = await nextLeader(last)
          // until another process leads, so longer than its own deadline
          await signalOperator(last, 'STOP')
          await nextLeader(last)
          await signalOperator(last, 'CONT')
        }
      }
      await operatorKubectl(['rollout', 'status', 'deployment/ingot-operator', '--timeout=120s'], 130)
      await nextLeader(last)
    })
    expect(await reportedRoles()).toEqual(roles)
    await eventually('the status is current', 60, () => isSettled(isHealthy))
  }, 1_200_000)

  test('Sentinels 5 to 3, then one is killed: a failover still works', async () => {
    await upgrade({ ...SENTINELS, 'redis.sentinel.replicas': 3 })
    await everythingReady(300)
    const isForgotten = async (): Promise<boolean> => {
      const pods = await podsOf('sentinel')
      const read = (pod: string) => inPod(pod, 'sentinel_at localhost INFO sentinel | grep sentinels=')
      const lines = await Promise.all(pods.map(read))
      return lines.length === 3 && lines.every((line) => /slaves=2,sentinels=3/.test(line))
    }
    await eventually('each Sentinel knows three', 240, isForgotten)
    const primary = await thePrimary()
    await measureFault('sentinel', 'a Sentinel of three, then the primary', async () => {
      await kubectl(['delete', 'pod', 'ingot-sentinel-2', '--force', '--grace-period=0', '--wait=false'])
      await deletePod(primary, 'by force')
    })
    await eventually('everything agrees', 180, () => isSettled(() => isSentinelHealthy(3)))
  })
})

describe('sentinel without persistence', () => {
  const values = { 'redis.mode': 'sentinel', 'redis.persistence.enabled': false }
  beforeAll(removeOperator, 300_000)
  release('sentinel', values)
  withOperator('sentinel, no persistence', values, () => isSentinelHealthy())

  test('a server that is killed in its pod comes back empty, and is not promoted (D7)', async () => {
    const primary = await thePrimary()
    await measureFault('sentinel, no persistence', 'D7: SIGKILL of the primary', () => signal(primary, 'KILL'), 15_000)
    await eventually('everything agrees', 180, () => isSettled(() => isSentinelHealthy()))
  })
})

describe('cluster without persistence', () => {
  const isHealthy = async (): Promise<boolean> => (await clusterProblems()).length === 0
  const values = { 'redis.mode': 'cluster', 'redis.persistence.enabled': false }
  beforeAll(removeOperator, 300_000)
  release('cluster', values)
  withOperator('cluster, no persistence', values, isHealthy)

  test('a server that is killed in its pod comes back empty, and is not promoted (D7)', async () => {
    const primary = (await rolesOf()).find(({ role }) => role === 'primary')?.pod ?? ''
    await measureFault('cluster, no persistence', 'D7: SIGKILL of a primary', () => signal(primary, 'KILL'), 15_000)
    await eventually('everything agrees', 180, () => isSettled(isHealthy))
  })
})

describe('cluster', () => {
  const isHealthy = async (): Promise<boolean> => (await clusterProblems()).length === 0
  const values = { 'redis.mode': 'cluster' }
  beforeAll(removeOperator, 300_000)
  release('cluster', values)
  withOperator('cluster', values, isHealthy)

  const aPrimary = async (): Promise<string> => (await rolesOf()).find(({ role }) => role === 'primary')?.pod ?? ''

  test('a primary and its successor are killed (D1)', async () => {
    await measureFault('cluster', 'D1: two primaries, one after the other', async () => {
      await deletePod(await aPrimary(), 'by force')
      await eventually('a primary for each shard', 90, async () => {
        return (
          (await rolesOf()).filter(({ role, cluster }) => role === 'primary' && (cluster?.slots ?? 0) > 0).length === 3
        )
      })
      await deletePod(await aPrimary(), 'by force')
    })
    await eventually('everything agrees', 180, () => isSettled(isHealthy))
  })

  test('kills of the operator change no role (D5)', async () => {
    await sleep(65_000) // until the operator has moved primaries apart, if any shared a machine
    await eventually('everything agrees', 180, () => isSettled(isHealthy))
    const roles = await reportedRoles()
    await measureFault('cluster', 'D5: kills of the operator', async () => {
      let last = ''
      for (let restart = 0; restart < Math.min(RESTARTS, 5); restart++) last = await killLeader(last)
      await operatorKubectl(['rollout', 'status', 'deployment/ingot-operator', '--timeout=120s'], 130)
    })
    expect(await reportedRoles()).toEqual(roles)
    await eventually('the status is current', 60, () => isSettled(isHealthy))
  })

  /** Deletes a replica with its volume, and waits until it is in the cluster again, as a new node. */
  async function loseReplica(): Promise<string> {
    const replica = (await rolesOf()).find(({ role, pod }) => role === 'replica' && pod !== 'ingot-redis-0')?.pod ?? ''
    await kubectl(['delete', 'pvc', `data-${replica}`, '--wait=false'])
    await deletePod(replica, 'by force')
    await eventually('the cluster is healthy', 240, isHealthy)
    return replica
  }
  const attachedByPods = async (replica: string): Promise<boolean> =>
    (await kubectl(['logs', 'ingot-redis-0', '-c', 'keeper'])).includes(`${replica}.ingot-redis-headless`)

  test('a replica that lost its volume is attached by the operator alone', async () => {
    const replica = await loseReplica()
    expect(await kubectl(['get', 'events', '--output=jsonpath={.items[*].reason}'])).toContain('AttachReplica')
    expect(await attachedByPods(replica)).toBe(false)
  })

  test('without an operator the pods attach it', async () => {
    await operatorKubectl(['scale', 'deployment/ingot-operator', '--replicas=0'])
    expect(await attachedByPods(await loseReplica())).toBe(true)
  })
})
