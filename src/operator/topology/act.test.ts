import { expect, test } from 'vitest'
import { fakeActors } from '../../testing/kube/fake-actors.ts'
import { carryOut, rivalsIn } from './act.ts'
import type { Action } from './plan.ts'

const line = (id: number, name: string): string =>
  `id=${id} addr=10.0.0.1:4000 laddr=10.0.0.2:6379 fd=8 name=${name} age=3 idle=0 flags=N db=0 sub=0 cmd=client|list user=operator`

test('connections of operators are found by their names, without the own number', () => {
  const list = [line(3, 'ingot-operator:7'), line(4, 'ingot-operator:6'), line(5, 'ingot-operator:x'), line(6, 'ingot')]
  expect(rivalsIn([...list, line(7, 'my-ingot-operator:9'), line(8, 'ingot-observer:9')].join('\n'), 7)).toEqual([
    { id: '4', number: 6 },
  ])
})

const ADDRESS = { host: 'r-2.h', port: 6379 }
test.each<[Action, readonly string[]]>([
  [
    { kind: 'Demote', pod: 'r-0', primary: 'r-2', address: ADDRESS },
    ['r-0 REPLICAOF r-2.h 6379', 'r-0 CLIENT KILL TYPE normal SKIPME yes'],
  ],
  [{ kind: 'ResetSentinel', pod: 's-0' }, ['s-0 SENTINEL RESET ingot']],
  [{ kind: 'Meet', pod: 'r-0', peer: 'r-2', address: ADDRESS }, ['r-0 CLUSTER MEET r-2.h 6379']],
  [
    {
      kind: 'FormCluster',
      shards: [
        { pod: 'r-0', from: 0, to: 9 },
        { pod: 'r-1', from: 10, to: 19 },
      ],
    },
    ['r-0 CLUSTER ADDSLOTSRANGE 0 9', 'r-1 CLUSTER ADDSLOTSRANGE 10 19'],
  ],
  [{ kind: 'AttachReplica', pod: 'r-1', primaryId: 'abc' }, ['r-1 CLUSTER REPLICATE abc']],
  [{ kind: 'MovePrimary', pod: 'r-1' }, ['r-1 CLUSTER FAILOVER']],
])('%j', async (action, commands) => {
  const { actors, sent } = fakeActors()
  await carryOut(action, actors)
  expect(sent.filter((one) => !one.endsWith('CLIENT LIST'))).toEqual(commands)
})

test('an operator of an earlier term loses its connections before anything changes', async () => {
  const { actors, sent } = fakeActors({ clients: [line(4, 'ingot-operator:6'), line(9, 'ingot-operator:2')] })
  await carryOut({ kind: 'MovePrimary', pod: 'r-1' }, actors)
  expect(sent).toEqual(['r-1 CLIENT LIST', 'r-1 CLIENT KILL ID 4', 'r-1 CLIENT KILL ID 9', 'r-1 CLUSTER FAILOVER'])
})

test('beside a higher number nothing changes, and the own number rises above it', async () => {
  const { actors, sent, raised } = fakeActors({ clients: [line(4, 'ingot-operator:12')] })
  await expect(carryOut({ kind: 'MovePrimary', pod: 'r-1' }, actors)).rejects.toThrow(/number 12 is connected/)
  expect(sent).toEqual(['r-1 CLIENT LIST'])
  expect(raised).toEqual([12])
})

test('a leader whose term is over changes nothing', async () => {
  const { actors, sent, end } = fakeActors({ clients: [line(4, 'ingot-operator:6')] })
  end()
  await expect(carryOut({ kind: 'MovePrimary', pod: 'r-1' }, actors)).rejects.toThrow('the term is over')
  expect(sent).toEqual(['r-1 CLIENT LIST'])
})

test('a server without a connection is not acted on', async () => {
  const { actors } = fakeActors({ absent: ['r-1'] })
  await expect(carryOut({ kind: 'MovePrimary', pod: 'r-1' }, actors)).rejects.toThrow('no connection to r-1')
})
