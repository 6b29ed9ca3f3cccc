/**
 * Redis under Sentinels while it is changed: passwords in the Secret, and fewer servers and Sentinels. Needs what
 * redis.kind.test.ts needs. What was measured is in out/chart-kind/redis-changes.json.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  deletePod,
  eventually,
  everythingReady,
  inPod,
  kubectl,
  podsOf,
  signal,
  theMaster,
  upgrade,
  type Values,
} from './cluster.ts'
import { allAgree, keepFigures, release, suffer } from './faults.ts'

keepFigures('redis-changes')

/** What the servers and Sentinels accept after a change of the Secret: the new password, and the one before. */
const loginOf = (pod: string, user: string, password: string): Promise<string> => {
  const port = pod.includes('sentinel') ? '$SENTINEL_PORT' : '$REDIS_PORT'
  return inPod(pod, `call_cli ${user} ${password} localhost ${port} PING`)
}

describe('a password that is changed in the Secret', () => {
  release('sentinel', {})
  const USERS = { ingot: 'password', admin: 'admin-password', replication: 'replication-password' } as const
  const allPods = async (): Promise<string[]> => [...(await podsOf('redis')), ...(await podsOf('sentinel'))]

  test('is taken over while every pod is restarted: nothing is lost, and clients with the old one go on', async () => {
    const secret = 'secret/ingot-redis'
    const encoded = await kubectl(['get', secret, '--output=jsonpath={.data.password}'])
    const old = Buffer.from(encoded, 'base64').toString()
    const keys = [...Object.values(USERS), 'sentinel-password']
    const stringData = Object.fromEntries(keys.map((key) => [key, `new${key.replaceAll('-', '')}0123456789`]))
    await kubectl(['patch', secret, '--type=merge', `--patch=${JSON.stringify({ stringData })}`])
    const { failed, sent } = await suffer('sentinel', 'all passwords changed, all pods restarted', async () => {
      await kubectl(['rollout', 'restart', 'statefulset/ingot-redis', 'statefulset/ingot-sentinel'])
      await everythingReady(560)
    })
    expect(failed).toBeLessThan(sent)
    await eventually('all agree', 60, () => allAgree())
    for (const pod of await allPods()) {
      expect(await loginOf(pod, 'ingot', stringData['password'] ?? ''), pod).toBe('PONG')
      expect(await loginOf(pod, 'ingot', old), pod).toBe('PONG')
      expect(await loginOf(pod, 'ingot', 'another'), pod).not.toBe('PONG')
    }
  }, 900_000)

  test('is taken over without any restart, and a hand-over works', async () => {
    const changed = 'newest0123456789'
    const patch = { stringData: { 'admin-password': changed, 'replication-password': changed } }
    await kubectl(['patch', 'secret/ingot-redis', '--type=merge', `--patch=${JSON.stringify(patch)}`])
    const accepted = async (): Promise<boolean> => {
      const answers = await Promise.all((await allPods()).map((pod) => loginOf(pod, 'admin', changed)))
      return answers.every((answer) => answer === 'PONG')
    }
    await eventually('every pod has read the Secret', 180, accepted)
    const master = await theMaster()
    await suffer('sentinel', 'graceful delete after a change', () => deletePod(master, 'gracefully'))
    expect(await theMaster()).not.toBe(master)
    await eventually('all agree', 60, () => allAgree())
  })
})

describe('five that become three', () => {
  const five: Values = { 'redis.sentinel.replicas': 5, 'redis.replicas': 5, 'redis.sentinel.hardAntiAffinity': false }
  release('sentinel', five)

  /** What a Sentinel counts: other Sentinels and replicas, dead ones included. */
  const countedBy = async (pod: string): Promise<string> => {
    const text = await inPod(pod, 'sentinel_at localhost SENTINEL MASTER "$MASTER_NAME"')
    return ['num-other-sentinels', 'num-slaves']
      .map((name) => new RegExp(`^${name}\\n(\\d+)$`, 'm').exec(text)?.[1])
      .join(' ')
  }

  test('the set gets smaller under writes, and no Sentinel counts who is gone', async () => {
    await eventually('all five agree', 120, () => allAgree(5))
    await suffer('sentinel', 'from five to three', async () => {
      await upgrade({ 'redis.mode': 'sentinel', ...five, 'redis.sentinel.replicas': 3, 'redis.replicas': 3 })
      await everythingReady(560)
    })
    await eventually('three agree', 120, () => allAgree())
    const counts = async (): Promise<string[]> => Promise.all((await podsOf('sentinel')).map(countedBy))
    await eventually('the others are forgotten', 120, async () => (await counts()).every((count) => count === '2 2'))
  }, 900_000)

  test('it fails over with one Sentinel less', async () => {
    const master = await theMaster()
    const [sentinel = ''] = await podsOf('sentinel')
    await suffer('sentinel, from five to three', 'a Sentinel and the master frozen', async () => {
      await signal(sentinel, 'STOP')
      await signal(master, 'STOP')
      await sleep(20_000)
      await signal(master, 'CONT')
      await signal(sentinel, 'CONT')
    })
    await eventually('all agree', 60, () => allAgree())
    expect(await theMaster()).not.toBe(master)
  })
})
