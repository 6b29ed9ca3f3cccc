/**
 * Changes of Redis under Sentinel: passwords in the Secret, and fewer servers and Sentinels. Needs what
 * redis.kind.test.ts needs. The figures are written to out/chart-kind/redis-changes.json.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { parseSentinelFields } from '../../../../src/redis/topology/sentinel-replies.ts'
import {
  deletePod,
  eventually,
  everythingReady,
  inPod,
  kubectl,
  podsOf,
  signal,
  thePrimary,
  upgrade,
  type Values,
} from './cluster.ts'
import { isSentinelHealthy, keepFigures, measureFault, release } from './faults.ts'

keepFigures('redis-changes')

/** Resolves with the reply of a server or Sentinel to PING with this password. */
const loginOf = (pod: string, user: string, password: string): Promise<string> => {
  const port = pod.includes('sentinel') ? '$SENTINEL_PORT' : '$REDIS_PORT'
  return inPod(pod, `call_cli ${user} ${password} localhost ${port} PING`)
}

describe('a password that is changed in the Secret', () => {
  release('sentinel', {})
  const USERS = { ingot: 'password', admin: 'admin-password', replication: 'replication-password' } as const
  const allPods = async (): Promise<string[]> => [...(await podsOf('redis')), ...(await podsOf('sentinel'))]

  test('is adopted while every pod restarts: no write is lost, and the old password still works', async () => {
    const secret = 'secret/ingot-redis'
    const encoded = await kubectl(['get', secret, '--output=jsonpath={.data.password}'])
    const old = Buffer.from(encoded, 'base64').toString()
    const keys = [...Object.values(USERS), 'sentinel-password']
    const stringData = Object.fromEntries(keys.map((key) => [key, `new${key.replaceAll('-', '')}0123456789`]))
    await kubectl(['patch', secret, '--type=merge', `--patch=${JSON.stringify({ stringData })}`])
    const { failed, sent } = await measureFault('sentinel', 'all passwords changed, all pods restarted', async () => {
      await kubectl(['rollout', 'restart', 'statefulset/ingot-redis', 'statefulset/ingot-sentinel'])
      await everythingReady(560)
    })
    expect(failed).toBeLessThan(sent)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
    for (const pod of await allPods()) {
      expect(await loginOf(pod, 'ingot', stringData['password'] ?? ''), pod).toBe('PONG')
      expect(await loginOf(pod, 'ingot', old), pod).toBe('PONG')
      expect(await loginOf(pod, 'ingot', 'another'), pod).not.toBe('PONG')
    }
  }, 900_000)

  test('is adopted without a restart, and a hand-over works', async () => {
    const changed = 'newest0123456789'
    const patch = { stringData: { 'admin-password': changed, 'replication-password': changed } }
    await kubectl(['patch', 'secret/ingot-redis', '--type=merge', `--patch=${JSON.stringify(patch)}`])
    const accepted = async (): Promise<boolean> => {
      const replies = await Promise.all((await allPods()).map((pod) => loginOf(pod, 'admin', changed)))
      return replies.every((reply) => reply === 'PONG')
    }
    await eventually('every pod has read the Secret', 180, accepted)
    const primary = await thePrimary()
    await measureFault('sentinel', 'graceful delete after a change', () => deletePod(primary, 'gracefully'))
    expect(await thePrimary()).not.toBe(primary)
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
  })
})

describe('a set of five that becomes three', () => {
  const five: Values = { 'redis.sentinel.replicas': 5, 'redis.replicas': 5, 'redis.sentinel.hardAntiAffinity': false }
  release('sentinel', five)

  /** Resolves with the numbers of other Sentinels and of replicas that a Sentinel knows, dead ones included. */
  const countedBy = async (pod: string): Promise<string> => {
    const fields = parseSentinelFields(await inPod(pod, 'sentinel_at localhost SENTINEL MASTER "$MASTER_NAME"'))
    return ['num-other-sentinels', 'num-slaves'].map((name) => fields.get(name)).join(' ')
  }

  test('the set shrinks while the writer writes, and no Sentinel knows the removed ones', async () => {
    await eventually('Redis with five servers is healthy', 120, () => isSentinelHealthy(5))
    await measureFault('sentinel', 'from five to three', async () => {
      await upgrade({ 'redis.mode': 'sentinel', ...five, 'redis.sentinel.replicas': 3, 'redis.replicas': 3 })
      await everythingReady(560)
    })
    await eventually('Redis with three servers is healthy', 120, () => isSentinelHealthy())
    const counts = async (): Promise<string[]> => Promise.all((await podsOf('sentinel')).map(countedBy))
    await eventually('the removed ones are forgotten', 120, async () =>
      (await counts()).every((count) => count === '2 2'),
    )
  }, 900_000)

  test('it fails over while one Sentinel is frozen', async () => {
    const primary = await thePrimary()
    const [sentinel = ''] = await podsOf('sentinel')
    await measureFault('sentinel, from five to three', 'a Sentinel and the primary frozen', async () => {
      await signal(sentinel, 'STOP')
      await signal(primary, 'STOP')
      await sleep(20_000)
      await signal(primary, 'CONT')
      await signal(sentinel, 'CONT')
    })
    await eventually('Redis is healthy', 60, () => isSentinelHealthy())
    expect(await thePrimary()).not.toBe(primary)
  })
})
