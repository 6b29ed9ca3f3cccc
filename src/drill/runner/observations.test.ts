import { expect, test } from 'vitest'
import type { ServerRole } from '../../redis/topology/roles.ts'
import { createFakeRelease } from '../../testing/kube/fake-release.ts'
import type { Event } from '../history.ts'
import { createBystanders, failedIn } from './bystanders.ts'
import { roleChanges, sampleOf } from './sampler.ts'
import { errorsOf, seriesOf } from './series.ts'

const role = (pod: string, kind: ServerRole['role'], replicas = 0, isSyncing = false): ServerRole => ({
  pod,
  role: kind,
  synced: !isSyncing,
  ...(isSyncing ? { syncing: true } : {}),
  replicas,
})

test('a primary without replicas takes no writes, and a server is not promoted while it receives its data', () => {
  const before = [role('r0', 'primary', 1), role('r1', 'replica', 0, true)]
  const after = [role('r0', 'primary', 0), role('r1', 'primary', 1)]
  expect(sampleOf(after, before, 5)).toEqual({
    atMs: 5,
    primaries: ['r0', 'r1'],
    writable: ['r1'],
    unsynced: ['r1'],
    servers: 2,
  })
  const linkDown = { ...role('r1', 'replica'), synced: false }
  expect(sampleOf(after, [linkDown], 5).unsynced).toEqual([])
})

test('only changes of the primaries are kept', () => {
  const at = (atMs: number, ...primaries: readonly string[]) => ({
    atMs,
    primaries,
    writable: [],
    unsynced: [],
    servers: 1,
  })
  const samples = [at(1, 'a'), at(2, 'a'), at(3), at(4, 'b'), at(5, 'b')]
  expect(roleChanges(samples).map(({ atMs }) => atMs)).toEqual([1, 3, 4])
})

const METRICS = `# HELP ingot_http_requests_total Requests
ingot_http_requests_total{route="/v1/x",method="POST",status="201"} 50
ingot_http_requests_total{route="/v1/x",method="POST",status="503"} 3
ingot_http_requests_total{route="/v1/x",method="POST",status="429"} 2
ingot_other_total{status="503"} 9
`

test('429 and 5xx are failed requests', () => {
  expect(failedIn(METRICS)).toBe(5)
})

test('failures are counted from the first reading on, also when a replica restarts or is replaced', async () => {
  const release = createFakeRelease()
  const { signal } = new AbortController()
  const counts = new Map<string, number>()
  const read = async ({ name }: { readonly name: string }): Promise<string> => {
    const count = counts.get(name)
    if (count === undefined) throw new Error('no response')
    return `ingot_http_requests_total{status="503"} ${count}\n`
  }
  const bystanders = createBystanders(release.workloads, read)
  counts.set('service-0', 10).set('service-1', 5)
  expect(await bystanders.failed(signal)).toBe(0)
  counts.set('service-0', 12).delete('service-1')
  expect(await bystanders.failed(signal)).toBe(2)
  // the container of service-0 restarts and has failed once since then; the pod of service-1 is another one
  for (const pod of release.pods) if (pod.name === 'service-0') pod.restarts++
  for (const pod of release.pods) if (pod.name === 'service-1') pod.uid = 'new'
  counts.set('service-0', 1).set('service-1', 4)
  expect(await bystanders.failed(signal)).toBe(7)
})

function save(atMs: number, tookMs: number, error?: string): readonly Event[] {
  const base = { seq: 1, process: 'vu', op: `op-${atMs}`, f: 'save', key: `k${atMs}` } as const
  const end = error === undefined ? { type: 'ok' as const } : { type: 'info' as const, error }
  return [
    { ...base, type: 'invoke', tMono: atMs, tWall: atMs },
    { ...base, ...end, tMono: atMs + tookMs, tWall: atMs + tookMs },
  ]
}

test('responses are counted in the second in which they came', () => {
  const load = [...save(1_990, 20), ...save(2_100, 300), ...save(4_000, 1, 'reset'), ...save(4_100, 1, 'reset')]
  expect(seriesOf(load)).toEqual({
    fromMs: 2_000,
    acknowledged: [2, 0, 0],
    failed: [0, 0, 2],
    p50Ms: [20, 0, 0],
    p99Ms: [300, 0, 0],
  })
  expect(errorsOf(load)).toEqual([{ name: 'reset', count: 2, lastMs: 4_101 }])
  expect(seriesOf([]).acknowledged).toEqual([])
})
