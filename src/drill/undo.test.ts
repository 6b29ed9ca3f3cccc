import { describe, expect, test } from 'vitest'
import { createFakeRelease, type FakeOptions } from '../testing/kube/fake-release.ts'
import type { UndoStep } from './spec/status.ts'
import { carryOut, createUndoList } from './undo.ts'

const { signal } = new AbortController()
const step = (fault: string, kind: UndoStep['kind'], args: UndoStep['args']): UndoStep => ({
  id: `${fault}-${kind}`,
  fault,
  kind,
  args,
})

function tools(options: FakeOptions = {}) {
  const release = createFakeRelease(options)
  return { release, tools: { workloads: release.workloads, redis: release.redis, machines: release.machines } }
}

test('steps are durable before they are added, and are removed when they are done', async () => {
  const { release, tools: given } = tools()
  const written: (readonly string[])[] = []
  const list = createUndoList(given, { write: async (steps) => void written.push(steps.map(({ fault }) => fault)) })
  await list.add([step('a', 'Uncordon', { node: 'n1' })], signal)
  await list.add(
    [step('b', 'Unstall', { pod: 'redis-0' }), step('b', 'Unlabel', { pod: 'redis-0', label: 'x' })],
    signal,
  )
  await list.undo('b', signal)
  await list.undo('none', signal)
  expect(written).toEqual([['a'], ['a', 'b', 'b'], ['a']])
  expect(release.calls).toEqual(['label redis-0 x=null', 'redis-0 CLIENT UNPAUSE'])
  expect(list.steps.map(({ fault }) => fault)).toEqual(['a'])
})

test('a list that cannot be written refuses the fault', async () => {
  const list = createUndoList(tools().tools, { write: () => Promise.reject(new Error('the API server is away')) })
  await expect(list.add([step('a', 'Uncordon', { node: 'n1' })], signal)).rejects.toThrow('the API server is away')
})

test('a step that fails stays in the list, and the others are carried out', async () => {
  const { release, tools: given } = tools()
  const failing = { ...given, redis: { ...given.redis, command: () => Promise.reject(new Error('no response')) } }
  const list = createUndoList(failing, { write: async () => {} })
  await list.add([step('a', 'Uncordon', { node: 'n1' }), step('a', 'Unstall', { pod: 'redis-0' })], signal)
  await expect(list.undo('a', signal)).rejects.toThrow('Unstall of a: no response')
  expect(release.calls).toEqual(['uncordon n1'])
  expect(list.steps).toHaveLength(2)
})

describe('each kind restores its part, also a second time', () => {
  const uid = 'uid-4'
  test.each<[UndoStep['kind'], UndoStep['args'], readonly string[]]>([
    ['Uncordon', { node: 'n2' }, ['uncordon n2']],
    ['Unstall', { pod: 'redis-1' }, ['redis-1 CLIENT UNPAUSE']],
    ['Unstall', { pod: 'gone' }, []],
    ['SetReplicas', { kind: 'Deployment', name: 'ingot', replicas: '3' }, ['scale service 3']],
    ['SetReplicas', { kind: 'Deployment', name: 'gone', replicas: '3' }, []],
    ['SetImage', { kind: 'Deployment', name: 'ingot', image: 'ingot:before' }, ['roll service ingot:before']],
    ['SetImage', { kind: 'Deployment', name: 'ingot', image: 'ingot:e2e' }, []],
    ['Unlabel', { pod: 'redis-0', label: 'ingot.dev/isolated' }, ['label redis-0 ingot.dev/isolated=null']],
    ['Resume', { pod: 'redis-0', uid, container: 'redis', process: 'redis-server' }, ['exec redis-0/redis']],
    ['Resume', { pod: 'redis-0', uid: 'another', container: 'redis', process: 'redis-server' }, []],
    ['Thaw', { node: 'n1' }, []],
  ])('%s %j', async (kind, args, calls) => {
    const { release, tools: given } = tools({ exec: async () => '' })
    await carryOut([step('a', kind, args)], given, signal)
    await carryOut([step('a', kind, args)], given, signal)
    expect(release.calls).toEqual([...calls, ...calls])
  })
})

test('a frozen node without access to its host says how to thaw it', async () => {
  const { machines: _machines, ...remote } = tools().tools
  await expect(carryOut([step('a', 'Thaw', { node: 'n1' })], remote, signal)).rejects.toThrow('docker unpause n1')
})
