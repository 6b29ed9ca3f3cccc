import { expect, test } from 'vitest'
import { parseRole, primariesOf, problemsOf, type ServerRole } from './roles.ts'

const PRIMARY = `# Replication\r
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

test('a server reports its role', () => {
  expect(parseRole('p-0', PRIMARY)).toEqual({
    pod: 'p-0',
    role: 'primary',
    synced: true,
    replicas: 2,
    offset: 1_000,
  })
  expect(parseRole('p-1', REPLICA)).toMatchObject({ role: 'replica', synced: true, offset: 998 })
  expect(parseRole('p-1', REPLICA.replace('status:up', 'status:down'))).toMatchObject({ synced: false })
  expect(parseRole('p-1', 'LOADING Redis is loading')).toBeUndefined()
})

test('the line about the node itself has its id, and its slots are counted', () => {
  expect(parseRole('p', `${PRIMARY}cluster_state:ok\n${NODES}`)?.cluster).toMatchObject({
    ok: true,
    id: 'me',
    primaryId: '',
    slots: 5_462,
  })
})

test('a server knows its peers by address, flags and link, and a replica the address that it follows', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(40))
  const nodes = [
    `${a} 10.0.0.1:6379@16379,h-0.d myself,master - 0 0 1 connected 0-99`,
    `${b} 10.0.0.2:6379@16379,h-1.d master,fail - 1 2 3 disconnected`,
    `${c} :0@0 slave,noaddr ${a} 1 2 3 connected`,
  ]
  expect(parseRole('p', `${PRIMARY}cluster_state:ok\n${nodes.join('\r\n')}`)?.cluster?.peers).toEqual([
    { id: b, host: '10.0.0.2', port: 6379, flags: ['master', 'fail'], linked: false },
    { id: c, host: '', port: 0, flags: ['slave', 'noaddr'], linked: true },
  ])
  const replica = 'role:slave\nmaster_host:r-0.h\nmaster_port:6379\nmaster_link_status:up\n'
  expect(parseRole('p', replica)?.follows).toEqual({ host: 'r-0.h', port: 6379 })
})

const primary = (pod: string, more: Partial<ServerRole> = {}): ServerRole => ({
  pod,
  role: 'primary',
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

test('one primary, replicas in sync and Sentinels that agree are healthy', () => {
  expect(problemsOf(SENTINEL, [primary('p-0'), replica('p-1'), replica('p-2')], NAMED)).toEqual([])
})

test('two primaries, a Sentinel that disagrees, a replica without a link and a missing server are problems', () => {
  expect(problemsOf(SENTINEL, [primary('p-0'), primary('p-1'), replica('p-2')], NAMED)).toEqual(['2 primaries'])
  expect(problemsOf(SENTINEL, [primary('p-1'), replica('p-0'), replica('p-2')], NAMED)).toHaveLength(3)
  expect(problemsOf(SENTINEL, [primary('p-0'), replica('p-1', { synced: false }), replica('p-2')], NAMED)).toHaveLength(
    1,
  )
  expect(problemsOf(SENTINEL, [primary('p-0'), replica('p-1')], NAMED)).toEqual(['1 Redis servers do not respond'])
})

const member = (id: string, primaryId: string, slots: number) => ({ ok: true, id, primaryId, slots })
const CLUSTER = [
  primary('p-0', { cluster: member('a', '', 5_461) }),
  primary('p-1', { cluster: member('b', '', 5_462) }),
  primary('p-2', { cluster: member('c', '', 5_461) }),
  replica('p-3', { cluster: member('d', 'a', 0) }),
  replica('p-4', { cluster: member('e', 'b', 0) }),
  replica('p-5', { cluster: member('f', 'c', 0) }),
]

test('a cluster is healthy if all slots are served and each primary has a replica', () => {
  const spec = { mode: 'cluster', pods: 6 } as const
  expect(problemsOf(spec, CLUSTER, [])).toEqual([])
  expect(primariesOf(CLUSTER)).toHaveLength(3)
  const moved = CLUSTER.map((role) => (role.pod === 'p-5' ? { ...role, cluster: member('f', 'a', 0) } : role))
  expect(problemsOf(spec, moved, [])).toEqual(['p-2 has no replica'])
  const down = CLUSTER.map((role) =>
    role.pod === 'p-5' ? { ...role, cluster: { ...member('f', 'c', 0), ok: false } } : role,
  )
  expect(problemsOf(spec, down, [])).toEqual(['p-5 reports that the cluster is down'])
})
