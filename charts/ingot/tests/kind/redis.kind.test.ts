/**
 * Redis in the chart on a real cluster: measures the cost of each fault, and asserts that no acknowledged write is lost.
 * Needs kind with the images ingot:dev, redis:8.0, valkey/valkey:8.1 and postgres:17. The figures are printed and
 * written to out/chart-kind/redis.json.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { primariesOf } from '../../../../src/redis/topology/roles.ts'
import {
  clusterProblems,
  deleteAll,
  deletePod,
  eventually,
  everythingReady,
  inPod,
  kubectl,
  podsOf,
  roleOf,
  rolesOf,
  signal,
  thePrimary,
  upgrade,
  type Values,
} from './cluster.ts'
import { isSentinelHealthy, keepFigures, measureFault, release } from './faults.ts'

keepFigures('redis')

describe('sentinel', () => {
  release('sentinel', {})

  test('a primary that is deleted hands over, and no acknowledged write is lost', async () => {
    const primary = await thePrimary()
    await measureFault('sentinel', 'graceful delete of the primary', () => deletePod(primary, 'gracefully'))
    expect(await thePrimary()).not.toBe(primary)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })

  test('a primary that is deleted by force is replaced', async () => {
    const primary = await thePrimary()
    await measureFault('sentinel', 'forced delete of the primary', () => deletePod(primary, 'by force'))
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })

  test('a primary that freezes is replaced, and is a replica after it thaws', async () => {
    const primary = await thePrimary()
    await measureFault('sentinel', 'primary frozen for 15 s', async () => {
      await signal(primary, 'STOP')
      await sleep(15_000)
      await signal(primary, 'CONT')
    })
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
    expect(await thePrimary()).not.toBe(primary)
  })

  test('a server that is killed in the pod comes back with its data', async () => {
    await measureFault('sentinel', 'SIGKILL of the primary', async () => signal(await thePrimary(), 'KILL'), 15_000)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })

  test('two primaries are deleted, one after the other', async () => {
    const first = await thePrimary()
    await measureFault('sentinel', 'two primaries, one after the other', async () => {
      // after a forced deletion it could be back, with another address, before a failover
      await deletePod(first, 'gracefully')
      await eventually(
        'Redis is healthy with another primary',
        60,
        async () => (await isSentinelHealthy()) && (await thePrimary()) !== first,
      )
      await deletePod(await thePrimary(), 'gracefully')
    })
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })

  test('all pods of Redis and of the Sentinels are deleted at the same time', async () => {
    await measureFault('sentinel', 'all pods deleted by force', () => deleteAll(['redis', 'sentinel']), 10_000)
    await everythingReady(180)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })

  test('a primary that loses its volume becomes a replica', async () => {
    const primary = await thePrimary()
    await measureFault('sentinel', 'primary without its volume', async () => {
      await kubectl(['delete', 'pvc', `data-${primary}`, '--wait=false'])
      await deletePod(primary, 'by force')
    })
    await everythingReady(180)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
    expect(await thePrimary()).not.toBe(primary)
  })

  test('after all servers are deleted and the Sentinels lose their volumes, the last primary is primary again', async () => {
    const primary = await thePrimary()
    await sleep(8_000) // until the readiness probes have recorded the primary
    await measureFault('sentinel', 'all pods deleted, Sentinels without volumes', async () => {
      for (const pod of await podsOf('sentinel')) await kubectl(['delete', 'pvc', `data-${pod}`, '--wait=false'])
      await deleteAll(['redis', 'sentinel'])
    })
    await everythingReady(180)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
    expect(await thePrimary()).toBe(primary)
  })

  test('an upgrade replaces every pod', async () => {
    await everythingReady(180)
    const { failed } = await measureFault('sentinel', 'helm upgrade of all pods', async () => {
      await upgrade({ 'redis.mode': 'sentinel', 'redis.extraConfig': 'hz 11' })
      await everythingReady(400)
    })
    expect(failed).toBeLessThan(400)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })
})

const isClusterHealthy = async (): Promise<boolean> => (await clusterProblems()).length === 0

const firstPrimary = async (): Promise<string> => {
  const [primary] = primariesOf(await rolesOf())
  if (primary === undefined) throw new Error('no primary')
  return primary.pod
}

describe('cluster', () => {
  release('cluster', {})

  test('the cluster forms, with each primary on a node of its own', async () => {
    await eventually('the cluster is healthy', 60, isClusterHealthy)
    const primaries = primariesOf(await rolesOf())
    const nodes = await Promise.all(
      primaries.map(({ pod }) => kubectl(['get', 'pod', pod, '--output=jsonpath={.spec.nodeName}'])),
    )
    expect(nodes).toHaveLength(3)
    expect(new Set(nodes).size).toBe(3)
  })

  test('a primary that is deleted hands over', async () => {
    await measureFault('cluster', 'graceful delete of a primary', async () =>
      deletePod(await firstPrimary(), 'gracefully'),
    )
    await eventually('the cluster is healthy', 60, isClusterHealthy)
  })

  test('a primary that is deleted by force is replaced', async () => {
    await measureFault('cluster', 'forced delete of a primary', async () => deletePod(await firstPrimary(), 'by force'))
    await eventually('the cluster is healthy', 60, isClusterHealthy)
  })

  test('a primary that freezes is replaced, and is a replica after it thaws', async () => {
    await measureFault('cluster', 'primary frozen for 20 s', async () => {
      const primary = await firstPrimary()
      await signal(primary, 'STOP')
      await sleep(20_000)
      await signal(primary, 'CONT')
    })
    await eventually('the cluster is healthy', 60, isClusterHealthy)
  })

  test('all pods are deleted at the same time', async () => {
    await measureFault('cluster', 'all pods deleted by force', () => deleteAll(['redis']), 10_000)
    await everythingReady(180)
    await eventually('the cluster is healthy', 60, isClusterHealthy)
  })

  test('a primary that loses its volume comes back as a replica with a new id', async () => {
    const primary = await firstPrimary()
    await measureFault('cluster', 'primary without its volume', async () => {
      await kubectl(['delete', 'pvc', `data-${primary}`, '--wait=false'])
      await deletePod(primary, 'by force')
    })
    await everythingReady(180)
    await eventually('the cluster is healthy', 90, isClusterHealthy)
    expect(await roleOf(primary)).toMatchObject({ role: 'replica' })
  })

  test('the keeper of a server is restarted when it ends', async () => {
    const pod = await firstPrimary()
    const restarts = (): Promise<string> =>
      kubectl(['get', 'pod', pod, '--output=jsonpath={.status.containerStatuses[?(@.name=="keeper")].restartCount}'])
    const before = Number(await restarts())
    await kubectl(['exec', pod, '--container=keeper', '--', 'sh', '-c', 'kill 1'])
    await eventually('the keeper runs again', 90, async () => Number(await restarts()) > before)
    await everythingReady(60)
    expect(await roleOf(pod)).toMatchObject({ role: 'primary' })
  })

  test('an empty server gets no primary while another server does not respond', async () => {
    const replicas = (await rolesOf()).filter(({ role, pod }) => role === 'replica' && !pod.endsWith('-0'))
    const [empty, silent] = replicas.map(({ pod }) => pod)
    if (empty === undefined || silent === undefined) throw new Error('there are too few replicas')
    const idOf = async (): Promise<string | undefined> => (await roleOf(empty))?.cluster?.id
    const before = await idOf()
    // the server keeps serving: if it were frozen, its liveness probe would restart it
    await inPod(silent, "local_cli ACL SETUSER admin '-cluster|nodes'")
    await kubectl(['delete', 'pvc', `data-${empty}`, '--wait=false'])
    await deletePod(empty, 'by force')
    await eventually('an empty server runs', 120, async () => ![undefined, before].includes(await idOf()))
    await sleep(6_000)
    expect(await roleOf(empty)).toMatchObject({ role: 'primary', cluster: { slots: 0 } })
    await inPod(silent, "local_cli ACL SETUSER admin '+cluster|nodes'")
    await eventually('the cluster is healthy', 90, isClusterHealthy)
    expect(await roleOf(empty)).toMatchObject({ role: 'replica' })
  })

  test('a rollout restarts every pod', async () => {
    await measureFault('cluster', 'rollout restart of all pods', async () => {
      await kubectl(['rollout', 'restart', 'statefulset/ingot-redis'])
      await everythingReady(500)
    })
    await eventually('the cluster is healthy', 60, isClusterHealthy)
  })
})

describe('standalone', () => {
  release('standalone', {})

  test('the pod comes back with its data', async () => {
    await measureFault('standalone', 'forced delete', () => deletePod('ingot-redis-0', 'by force'))
  })
})

describe('with TLS', () => {
  release('sentinel', { 'redis.tls.enabled': true })

  test('a primary that is deleted hands over, and an upgrade keeps the certificate', async () => {
    const certificate = () => kubectl(['get', 'secret', 'ingot-redis-tls', '--output=jsonpath={.data}'])
    const before = await certificate()
    await upgrade({ 'redis.mode': 'sentinel', 'redis.tls.enabled': true })
    expect(await certificate()).toBe(before)
    const primary = await thePrimary()
    await measureFault('sentinel, TLS', 'graceful delete of the primary', () => deletePod(primary, 'gracefully'))
    expect(await inPod(primary, 'TLS=false; local_cli PING')).not.toBe('PONG')
  })
})

describe('Valkey', () => {
  const valkey: Values = {
    'redis.image.repository': 'valkey/valkey',
    'redis.image.tag': '8.1',
    'redis.commands.server': 'valkey-server',
    'redis.commands.cli': 'valkey-cli',
  }
  release('sentinel', valkey)

  test('a primary that is deleted hands over', async () => {
    const primary = await thePrimary()
    await measureFault('sentinel, Valkey', 'graceful delete of the primary', () => deletePod(primary, 'gracefully'))
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })
})

describe('a cluster with TLS', () => {
  release('cluster', { 'redis.tls.enabled': true })

  test('all pods are deleted at the same time', async () => {
    await measureFault('cluster, TLS', 'all pods deleted by force', () => deleteAll(['redis']))
    await eventually('the cluster is healthy', 60, isClusterHealthy)
  })
})
