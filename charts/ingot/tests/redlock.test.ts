/** Tests `redis.mode: redlock`: independent servers, a majority of which grants each lock. */
import { describe, expect, test } from 'vitest'
import { parseRedisUrl } from '../../../src/redis/redis-url.ts'
import { find, kinds, type Manifest, podOf, refusal, render, serviceEnv } from './helm.ts'

const redis = (manifests: readonly Manifest[]) => podOf(manifests, 'StatefulSet/ingot-redis').spec
const lockUrl = (changes: string[] = []): string =>
  serviceEnv(render('redlock', changes)).get('INGOT_LOCK_URL')?.value ?? ''

function antiAffinity(changes: string[] = []): unknown {
  const { affinity } = redis(render('redlock', changes)) as { affinity?: { podAntiAffinity?: unknown } }
  return affinity?.podAntiAffinity
}

describe('redlock', () => {
  test('has five servers, each of which is alone', () => {
    const manifests = render('redlock')
    expect(find(manifests, 'StatefulSet', 'ingot-redis').spec).toMatchObject({ replicas: 5 })
    expect(kinds(manifests, 'StatefulSet')).not.toContain('ingot-sentinel')
    const env = redis(manifests).containers[0]?.env
    expect(env).toContainEqual({ name: 'MODE', value: 'standalone' })
    expect(redis(manifests).containers[0]).not.toHaveProperty('lifecycle')
  })

  test('has a URL that names all servers and the longest lease', () => {
    expect(parseRedisUrl(lockUrl())).toMatchObject({ kind: 'independent', maxLeaseMs: 10_000 })
    expect(lockUrl().match(/ingot-redis-\d\./g)).toHaveLength(5)
    expect(parseRedisUrl(lockUrl(['service.config.lockTtl="30s"']))).toMatchObject({ maxLeaseMs: 30_000 })
    expect(lockUrl(['redis.redlock.servers=3']).match(/ingot-redis-\d\./g)).toHaveLength(3)
    expect(parseRedisUrl(lockUrl(['redis.tls.enabled=true']))).toMatchObject({ tls: {} })
  })

  test('has each server on its own node, unless this is switched off', () => {
    expect(antiAffinity()).toMatchObject({
      requiredDuringSchedulingIgnoredDuringExecution: [
        {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchLabels: { 'app.kubernetes.io/component': 'redis' } },
        },
      ],
    })
    expect(antiAffinity(['redis.redlock.hardAntiAffinity=false'])).toBeUndefined()
  })

  test('lets clients read the settings that decide when votes count', () => {
    const users = (mode: string) => find(render(mode), 'ConfigMap', 'ingot-redis').data['users.redis'] ?? ''
    expect(users('redlock')).toMatch(/^ingot ingot .*\+config\|get$/m)
    expect(users('postgres')).not.toMatch(/^ingot ingot .*config/m)
  })

  test('restarts the next server after the longest lease, when the votes of this one count', () => {
    const pause = (changes: string[]) =>
      find(render('redlock', changes), 'StatefulSet', 'ingot-redis').spec['minReadySeconds']
    expect(pause([])).toBe(12)
    expect(pause(['service.config.lockTtl="30s"'])).toBe(32)
  })

  test('is nothing for the operator, the canary and drills', () => {
    expect(refusal('redlock', ['operator.resources="always"'])).toContain(
      'have no roles that an operator could observe',
    )
    expect(refusal('redlock', ['canary.enabled=true'])).toContain('redis.mode=redlock have one each')
    expect(refusal('redlock', ['drills.enabled=true'])).toContain('needs a Redis with roles')
    const api = ['--api-versions', 'ingot.dev/v1alpha1/RedisTopology']
    expect(kinds(render('redlock', [], 'ingot', api), 'RedisTopology')).toEqual([])
  })
})
