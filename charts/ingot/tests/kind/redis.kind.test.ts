/**
 * Redis as the chart runs it, on a real cluster: what each fault costs, and that nothing acknowledged is lost. Needs kind
 * with the images ingot:dev, redis:8.0, valkey/valkey:8.1 and postgres:17: `npm run test:chart-kind`. What was measured is printed and
 * written to out/chart-kind/redis.json.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  deleteAll,
  deletePod,
  eventually,
  everythingReady,
  inPod,
  kubectl,
  podsOf,
  roleOf,
  signal,
  theMaster,
  upgrade,
  type Values,
} from './cluster.ts'
import { allAgree, keepFigures, release, suffer } from './faults.ts'

keepFigures('redis')

describe('sentinel', () => {
  release('sentinel', {})

  test('a master that is deleted hands over: no acknowledged write is lost', async () => {
    const master = await theMaster()
    await suffer('sentinel', 'graceful delete of the master', () => deletePod(master, 'gracefully'))
    expect(await theMaster()).not.toBe(master)
    await eventually('all agree', 30, () => allAgree())
  })

  test('a master that is deleted by force', async () => {
    const master = await theMaster()
    await suffer('sentinel', 'forced delete of the master', () => deletePod(master, 'by force'))
    await eventually('all agree', 30, () => allAgree())
  })

  test('a master that freezes is replaced, and follows when it thaws', async () => {
    const master = await theMaster()
    await suffer('sentinel', 'master frozen for 15 s', async () => {
      await signal(master, 'STOP')
      await sleep(15_000)
      await signal(master, 'CONT')
    })
    await eventually('all agree', 40, () => allAgree())
    expect(await theMaster()).not.toBe(master)
  })

  test('a server that is killed where it is comes back with its data', async () => {
    await suffer('sentinel', 'SIGKILL of the master', async () => signal(await theMaster(), 'KILL'), 15_000)
    await eventually('all agree', 60, () => allAgree())
  })

  test('the new master dies too, once the first has another address (D1)', async () => {
    const first = await theMaster()
    await suffer('sentinel', 'two masters, one after the other', async () => {
      // by force it might be back, with another address, before anybody took it for dead
      await deletePod(first, 'gracefully')
      await eventually('all agree on another', 60, async () => (await allAgree()) && (await theMaster()) !== first)
      await deletePod(await theMaster(), 'gracefully')
    })
    await eventually('all agree', 60, () => allAgree())
  })

  test('all pods of Redis and of the Sentinels at once', async () => {
    await suffer('sentinel', 'all pods deleted by force', () => deleteAll(['redis', 'sentinel']), 10_000)
    await everythingReady(180)
    await eventually('all agree', 60, () => allAgree())
  })

  test('a master whose volume is lost does not lead, and copies the others', async () => {
    const master = await theMaster()
    await suffer('sentinel', 'master without its volume', async () => {
      await kubectl(['delete', 'pvc', `data-${master}`, '--wait=false'])
      await deletePod(master, 'by force')
    })
    await everythingReady(180)
    await eventually('all agree', 60, () => allAgree())
    expect(await theMaster()).not.toBe(master)
  })

  test('Sentinels that lost everything, and all servers deleted: the last master leads again', async () => {
    const master = await theMaster()
    await sleep(8_000) // so that the readiness probes have noted whom they follow
    await suffer('sentinel', 'all pods deleted, Sentinels without volumes', async () => {
      for (const pod of await podsOf('sentinel')) await kubectl(['delete', 'pvc', `data-${pod}`, '--wait=false'])
      await deleteAll(['redis', 'sentinel'])
    })
    await everythingReady(180)
    await eventually('all agree', 60, () => allAgree())
    expect(await theMaster()).toBe(master)
  })

  test('an upgrade that replaces every pod', async () => {
    await everythingReady(180)
    const { failed } = await suffer('sentinel', 'helm upgrade of all pods', async () => {
      await upgrade({ 'redis.mode': 'sentinel', 'redis.extraConfig': 'hz 11' })
      await everythingReady(400)
    })
    expect(failed).toBeLessThan(400)
    await eventually('all agree', 60, () => allAgree())
  })
})

/** 16384 slots with an owner, and every pod sees all others. */
async function clusterIsWhole(): Promise<boolean> {
  const pods = await podsOf('redis')
  const infos = await Promise.all(pods.map((pod) => inPod(pod, 'local_cli CLUSTER INFO')))
  return (
    pods.length === 6 &&
    infos.every((info) => info.includes('cluster_state:ok') && info.includes('cluster_slots_ok:16384')) &&
    infos.every((info) => info.includes('cluster_known_nodes:6'))
  )
}

const firstMaster = async (): Promise<string> => {
  const pods = await podsOf('redis')
  const roles = await Promise.all(pods.map((pod) => roleOf(pod)))
  const master = pods.find((_, index) => roles[index] === 'master')
  if (master === undefined) throw new Error('no master')
  return master
}

describe('cluster', () => {
  release('cluster', {})

  test('it forms, each master on a node of its own', async () => {
    await eventually('the cluster is whole', 60, clusterIsWhole)
    const pods = await podsOf('redis')
    const roles = await Promise.all(pods.map((pod) => roleOf(pod)))
    const nodes = await Promise.all(
      pods
        .filter((_, index) => roles[index] === 'master')
        .map((pod) => kubectl(['get', 'pod', pod, '--output=jsonpath={.spec.nodeName}'])),
    )
    expect(nodes).toHaveLength(3)
    expect(new Set(nodes).size).toBe(3)
  })

  test('a master that is deleted hands over', async () => {
    await suffer('cluster', 'graceful delete of a master', async () => deletePod(await firstMaster(), 'gracefully'))
    await eventually('the cluster is whole', 60, clusterIsWhole)
  })

  test('a master that is deleted by force', async () => {
    await suffer('cluster', 'forced delete of a master', async () => deletePod(await firstMaster(), 'by force'))
    await eventually('the cluster is whole', 60, clusterIsWhole)
  })

  test('a master that freezes is replaced, and follows when it thaws', async () => {
    await suffer('cluster', 'master frozen for 20 s', async () => {
      const master = await firstMaster()
      await signal(master, 'STOP')
      await sleep(20_000)
      await signal(master, 'CONT')
    })
    await eventually('the cluster is whole', 60, clusterIsWhole)
  })

  test('all pods at once (D4)', async () => {
    await suffer('cluster', 'all pods deleted by force', () => deleteAll(['redis']), 10_000)
    await everythingReady(180)
    await eventually('the cluster is whole', 60, clusterIsWhole)
  })

  test('a master whose volume is lost comes back as a replica, under a new name', async () => {
    const master = await firstMaster()
    await suffer('cluster', 'master without its volume', async () => {
      await kubectl(['delete', 'pvc', `data-${master}`, '--wait=false'])
      await deletePod(master, 'by force')
    })
    await everythingReady(180)
    await eventually('the cluster is whole', 90, clusterIsWhole)
    expect(await roleOf(master)).toBe('slave')
  })

  test('the loop beside a server is started again when it ends', async () => {
    const pod = await firstMaster()
    const restarts = (): Promise<string> =>
      kubectl(['get', 'pod', pod, '--output=jsonpath={.status.containerStatuses[?(@.name=="keeper")].restartCount}'])
    const before = Number(await restarts())
    await kubectl(['exec', pod, '--container=keeper', '--', 'sh', '-c', 'kill 1'])
    await eventually('the loop runs again', 90, async () => Number(await restarts()) > before)
    await everythingReady(60)
    expect(await roleOf(pod)).toBe('master')
  })

  test('a newcomer gets no master while a server does not answer', async () => {
    const pods = await podsOf('redis')
    const roles = await Promise.all(pods.map((pod) => roleOf(pod)))
    const [newcomer = '', silent = ''] = pods.filter((pod, index) => roles[index] === 'slave' && !pod.endsWith('-0'))
    const own = (pod: string): Promise<string> => inPod(pod, 'local_cli CLUSTER NODES | grep myself')
    const id = (line: string): string => line.split(' ')[0] ?? ''
    const before = await own(newcomer)
    // it goes on serving: frozen, it would be restarted by its liveness probe
    await inPod(silent, "local_cli ACL SETUSER admin '-cluster|nodes'")
    await kubectl(['delete', 'pvc', `data-${newcomer}`, '--wait=false'])
    await deletePod(newcomer, 'by force')
    await eventually('an empty server runs', 120, async () => !['', id(before)].includes(id(await own(newcomer))))
    await sleep(6_000)
    expect(await own(newcomer)).toContain('myself,master')
    await inPod(silent, "local_cli ACL SETUSER admin '+cluster|nodes'")
    await eventually('the cluster is whole', 90, clusterIsWhole)
    await eventually('the newcomer has a master', 60, async () => (await roleOf(newcomer)) === 'slave')
  })

  test('a rollout of every pod', async () => {
    await suffer('cluster', 'rollout restart of all pods', async () => {
      await kubectl(['rollout', 'restart', 'statefulset/ingot-redis'])
      await everythingReady(500)
    })
    await eventually('the cluster is whole', 60, clusterIsWhole)
  })
})

describe('standalone', () => {
  release('standalone', {})

  test('its pod comes back with its data', async () => {
    await suffer('standalone', 'forced delete', () => deletePod('ingot-redis-0', 'by force'))
  })
})

describe('with TLS', () => {
  release('sentinel', { 'redis.tls.enabled': true })

  test('a master that is deleted hands over, and an upgrade keeps the certificate', async () => {
    const certificate = () => kubectl(['get', 'secret', 'ingot-redis-tls', '--output=jsonpath={.data}'])
    const before = await certificate()
    await upgrade({ 'redis.mode': 'sentinel', 'redis.tls.enabled': true })
    expect(await certificate()).toBe(before)
    const master = await theMaster()
    await suffer('sentinel, TLS', 'graceful delete of the master', () => deletePod(master, 'gracefully'))
    expect(await inPod(master, 'TLS=false; local_cli PING')).not.toBe('PONG')
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

  test('a master that is deleted hands over', async () => {
    const master = await theMaster()
    await suffer('sentinel, Valkey', 'graceful delete of the master', () => deletePod(master, 'gracefully'))
    await eventually('all agree', 30, () => allAgree())
  })
})

describe('a cluster with TLS', () => {
  release('cluster', { 'redis.tls.enabled': true })

  test('all pods at once', async () => {
    await suffer('cluster, TLS', 'all pods deleted by force', () => deleteAll(['redis']))
    await eventually('the cluster is whole', 60, clusterIsWhole)
  })
})
