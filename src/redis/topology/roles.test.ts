import { expect, test } from 'vitest'
import { parseRole, primariesOf, problemsOf, type ServerRole } from './roles.ts'

const MASTER = `# Replication\r
role:master\r
connected_slaves:2\r
slave0:ip=a,port=6379,state=online,offset=990,lag=0\r
master_repl_offset:1000\r
`
const REPLICA = `# Replication
role:slave
master_link_status:up
master_sync_in_progress:0
slave_repl_offset:998
connected_slaves:0
`
const NODES = `f1 10.0.0.1:6379@16379,a.x,, master - 0 1 3 connected 5461-10922
me 10.0.0.2:6379@16379,b.x,, myself,master - 0 1 2 connected 0-5460 5462 [5463->-f1]
`

test('a server says what it is', () => {
  expect(parseRole('p-0', MASTER)).toEqual({ pod: 'p-0', role: 'master', synced: true, replicas: 2 })
  expect(parseRole('p-1', REPLICA)).toMatchObject({ role: 'replica', synced: true })
  expect(parseRole('p-1', REPLICA.replace('status:up', 'status:down'))).toMatchObject({ synced: false })
  expect(parseRole('p-1', 'LOADING Redis is loading')).toBeUndefined()
})

test('a cluster node is known by its own line, and its slots are counted', () => {
  expect(parseRole('p', `${MASTER}cluster_state:ok\n${NODES}`)?.cluster).toEqual({
    ok: true,
    id: 'me',
    masterId: '',
    slots: 5_462,
  })
})

const master = (pod: string, more: Partial<ServerRole> = {}): ServerRole => ({
  pod,
  role: 'master',
  synced: true,
  replicas: 2,
  ...more,
})
const replica = (pod: string, more: Partial<ServerRole> = {}): ServerRole => ({
  pod,
  role: 'replica',
  synced: true,
  replicas: 0,
  ...more,
})
const SENTINEL = { mode: 'sentinel', pods: 3 } as const
const NAMED = ['p-0.h.ns', 'p-0.h.ns', 'p-0.h.ns']

test('one master, replicas in step and Sentinels of one mind are well', () => {
  expect(problemsOf(SENTINEL, [master('p-0'), replica('p-1'), replica('p-2')], NAMED)).toEqual([])
})

test('two masters, a Sentinel that names another, a replica without its link, and silence are not', () => {
  expect(problemsOf(SENTINEL, [master('p-0'), master('p-1'), replica('p-2')], NAMED)).toEqual(['2 masters'])
  expect(problemsOf(SENTINEL, [master('p-1'), replica('p-0'), replica('p-2')], NAMED)).toHaveLength(3)
  expect(problemsOf(SENTINEL, [master('p-0'), replica('p-1', { synced: false }), replica('p-2')], NAMED)).toHaveLength(
    1,
  )
  expect(problemsOf(SENTINEL, [master('p-0'), replica('p-1')], NAMED)).toEqual(['1 Redis servers do not answer'])
})

const place = (id: string, masterId: string, slots: number) => ({ ok: true, id, masterId, slots })
const CLUSTER = [
  master('p-0', { cluster: place('a', '', 5_461) }),
  master('p-1', { cluster: place('b', '', 5_462) }),
  master('p-2', { cluster: place('c', '', 5_461) }),
  replica('p-3', { cluster: place('d', 'a', 0) }),
  replica('p-4', { cluster: place('e', 'b', 0) }),
  replica('p-5', { cluster: place('f', 'c', 0) }),
]

test('a cluster is well when all slots are served and each master has a replica', () => {
  const shape = { mode: 'cluster', pods: 6 } as const
  expect(problemsOf(shape, CLUSTER, [])).toEqual([])
  expect(primariesOf(CLUSTER)).toHaveLength(3)
  const moved = CLUSTER.map((role) => (role.pod === 'p-5' ? { ...role, cluster: place('f', 'a', 0) } : role))
  expect(problemsOf(shape, moved, [])).toEqual(['p-2 has no replica'])
  const down = CLUSTER.map((role) =>
    role.pod === 'p-5' ? { ...role, cluster: { ...place('f', 'c', 0), ok: false } } : role,
  )
  expect(problemsOf(shape, down, [])).toEqual(['p-5 says that the cluster is down'])
})
