import { expect, test } from 'vitest'
import type { RedisTopology } from './redis-url.ts'
import { judgeServer, type Purpose } from './suitability.ts'

const GOOD = {
  redis_version: '8.0.2',
  role: 'master',
  maxmemory: '0',
  maxmemory_policy: 'noeviction',
  cluster_enabled: '0',
  aof_enabled: '1',
  min_slaves_good_slaves: '2',
}

function judge(kind: RedisTopology['kind'], fields: Readonly<Record<string, string>> = {}, purpose?: Purpose) {
  const info = Object.entries({ ...GOOD, ...fields }).map(([name, value]) => `${name}:${value}\r\n`)
  return judgeServer(`# Server\r\n${info.join('')}`, kind, purpose)
}

test('a server with settings for locks is accepted without warnings', () => {
  for (const kind of ['standalone', 'sentinel', 'independent'] as const) {
    expect(judge(kind)).toEqual({ refusals: [], warnings: [] })
  }
  expect(judge('cluster', { cluster_enabled: '1' })).toEqual({ refusals: [], warnings: [] })
})

test.each([
  ['an old version', 'standalone', { redis_version: '6.2.1' }, 'needs Redis 7'],
  ['a replica', 'standalone', { role: 'slave' }, 'a primary is needed'],
  ['eviction under a memory limit', 'standalone', { maxmemory: '1', maxmemory_policy: 'volatile-lru' }, 'evict'],
  ['a cluster node by itself', 'standalone', { cluster_enabled: '1' }, 'redis+cluster://'],
  ['a single server as a cluster', 'cluster', {}, 'not part of a cluster'],
] as const)('%s is refused', (_, kind, fields, reason) => {
  expect(judge(kind, fields).refusals.join()).toContain(reason)
})

test.each([
  ['an eviction policy without a limit', 'standalone', { maxmemory_policy: 'allkeys-lru' }, 'set later'],
  ['Redlock nodes without a log', 'independent', { aof_enabled: '0' }, 'do not count'],
] as const)('%s is a warning', (_, kind, fields, reason) => {
  const { refusals, warnings } = judge(kind, fields)
  expect(refusals).toEqual([])
  expect(warnings.join()).toContain(reason)
})

test('a primary that accepts writes without replicas causes a warning', () => {
  const { min_slaves_good_slaves: _, ...without } = GOOD
  const info = Object.entries(without).map(([name, value]) => `${name}:${value}\r\n`)
  expect(judgeServer(info.join(''), 'sentinel').warnings.join()).toContain('min-replicas-to-write')
})

test('a server that evicts is accepted for a cache, and one that cannot evict causes a warning', () => {
  const limit = { maxmemory: '100000000' }
  expect(judge('standalone', { ...limit, maxmemory_policy: 'allkeys-lru' }, 'cache')).toEqual({
    refusals: [],
    warnings: [],
  })
  expect(judge('standalone', limit, 'cache').warnings.join()).toContain('allkeys-lru')
  expect(judge('standalone', {}, 'cache').warnings.join()).toContain('maxmemory is 0')
  expect(judge('standalone', { role: 'slave' }, 'cache').refusals.join()).toContain('a primary is needed')
})
