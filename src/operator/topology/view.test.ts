import { expect, test } from 'vitest'
import type { SentinelEntry, SentinelView, ServerView } from '../../redis/probe.ts'
import type { TopologyPod } from './pods.ts'
import { epochOf, type PodSet, podAt, sentinelState, serverState } from './view.ts'

const pod = (name: string, ip: string, ports: Readonly<Record<string, number>> = {}): TopologyPod => ({
  metadata: { name },
  statefulSet: name.split('-')[0] ?? '',
  ready: true,
  ip,
  ports,
  labels: {},
  node: 'm-1',
  subdomain: '',
})
const REDIS: PodSet = {
  name: 'redis',
  size: 3,
  pods: [pod('redis-0', '10.0.0.1'), pod('redis-1', '10.0.0.2', { redis: 6_400 }), pod('redis-10', '10.0.0.9')],
  port: { name: 'redis', number: 6_379 },
}
const SENTINELS: PodSet = {
  name: 'sentinel',
  size: 3,
  pods: [pod('sentinel-0', '10.0.1.1'), pod('sentinel-1', '10.0.1.2')],
  port: { name: 'sentinel', number: 26_379 },
}

test.each([
  [{ host: '10.0.0.1', port: 6_379 }, 'redis-0'],
  [{ host: '10.0.0.1', port: 6_380 }, '10.0.0.1'],
  [{ host: '10.0.0.2', port: 6_400 }, 'redis-1'],
  [{ host: 'redis-1.headless.shop.svc.cluster.local', port: 6_379 }, 'redis-1'],
  [{ host: 'redis-10.headless', port: 6_379 }, 'redis-10'],
  [{ host: 'redis-2.headless', port: 6_379 }, 'redis-2.headless'],
  [{ host: '10.9.9.9', port: 6_379 }, '10.9.9.9'],
])('%j is %s', (address, name) => {
  expect(podAt(REDIS, address)).toBe(name)
})

const SERVER: ServerView = { pod: 'redis-1', role: 'replica', synced: true, replicas: 0, keys: 3 }

test('a server has the address and the machine of its pod, and the pod that it follows', () => {
  const [, second = pod('', '')] = REDIS.pods
  const state = serverState({ ...SERVER, follows: { host: '10.0.0.1', port: 6_379 } }, second, REDIS)
  expect(state).toMatchObject({ host: '10.0.0.2', port: 6_400, machine: 'm-1', followsPod: 'redis-0' })
  // the pods of the chart start so, until they know a primary
  const starting = serverState({ ...SERVER, follows: { host: '127.0.0.1', port: 1 } }, second, REDIS)
  expect(starting.followsPod).toBeUndefined()
})

const entry = (kind: SentinelEntry['kind'], host: string, flags: string): SentinelEntry => ({
  kind,
  host,
  port: kind === 'sentinel' ? 26_379 : 6_379,
  flags: flags.split(','),
})
const VIEW: SentinelView = {
  host: 'redis-0.h',
  port: 6_379,
  knows: 5,
  hasQuorum: true,
  flags: ['master'],
  entries: [
    entry('sentinel', 'sentinel-1.h', 'sentinel'),
    // missing at this moment, and wanted
    entry('sentinel', 'sentinel-2.h', 'sentinel,s_down'),
    entry('sentinel', 'sentinel-3.h', 'sentinel,s_down,disconnected'),
    entry('sentinel', 'sentinel-4.h', 'sentinel'),
    entry('replica', 'redis-1.h', 'slave'),
    entry('replica', 'redis-2.h', 's_down,slave'),
    // the address of a pod before its restart
    entry('replica', '10.0.0.77', 'slave,o_down'),
    entry('replica', 'redis-10.h', 'slave'),
  ],
}

test('entries count by whether the spec wants them, and whether they are alive', () => {
  expect(sentinelState(VIEW, 'sentinel-0', REDIS, SENTINELS)).toMatchObject({
    pod: 'sentinel-0',
    primaryPod: 'redis-0',
    peers: 1,
    replicas: 1,
    departed: 2,
    departing: 2,
  })
})

test('the epoch of a topology is the greatest that a Sentinel or a node of a cluster reports', () => {
  const server = serverState(SERVER, pod('redis-1', '10.0.0.1'), REDIS)
  const sentinel = sentinelState(VIEW, 'sentinel-0', REDIS, SENTINELS)
  expect(epochOf({ servers: [server], sentinels: [sentinel] })).toBeUndefined()
  const sentinels = [sentinel, { ...sentinel, epoch: 3 }, { ...sentinel, epoch: 2 }]
  expect(epochOf({ servers: [server], sentinels })).toBe(3)
  expect(epochOf({ servers: [{ ...server, epoch: 5 }, server], sentinels: [] })).toBe(5)
})
