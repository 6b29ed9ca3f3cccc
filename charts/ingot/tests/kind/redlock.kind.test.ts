/**
 * Redlock in the chart on a real cluster: five independent servers lose one, two, or a node, while two clients compete for
 * locks. Needs kind with the images ingot:dev, redis:8.0 and postgres:17. The figures are written to
 * out/chart-kind/redlock.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDocker, createKindMachines } from '../../../../src/drill/targets/kind/docker.ts'
import {
  deletePod,
  eventually,
  everythingReady,
  install,
  kubectl,
  podsOf,
  prepareNamespace,
  remove,
  signal,
} from './cluster.ts'
import { lockReportSince, startLocker } from './programs.ts'

const machines = createKindMachines(createDocker())
const figures: object[] = []

beforeAll(async () => {
  await prepareNamespace()
  await remove()
  await install({
    'redis.mode': 'redlock',
    // five servers on the three nodes of this cluster
    'redis.redlock.hardAntiAffinity': false,
    'lock.mode': 'always',
    'lock.fences.mode': 'postgres',
    'service.replicas': 1,
  })
  await startLocker()
}, 600_000)

afterAll(async () => {
  mkdirSync('out/chart-kind', { recursive: true })
  writeFileSync('out/chart-kind/redlock.json', `${JSON.stringify(figures, null, 2)}\n`)
  await remove()
}, 300_000)

/** Injects a fault while locks are granted. Locks must be granted after it, never twice, and with rising fences. */
async function granting(fault: string, inject: () => Promise<void>): Promise<void> {
  const since = Date.now()
  await inject()
  await eventually('locks are granted', 60, async () => (await lockReportSince(Date.now() - 2_000)).acknowledged > 10)
  const report = await lockReportSince(since)
  figures.push({ fault, ...report })
  process.stdout.write(`${JSON.stringify({ fault, ...report })}\n`)
  expect(report).toMatchObject({ overlaps: 0, fallen: 0, failed: {} })
}

test('a server that is killed fails no attempt', async () => {
  const [server = ''] = await podsOf('redis')
  await granting('one server killed', async () => {
    await signal(server, 'KILL')
    await sleep(10_000)
  })
  await everythingReady(120)
})

test('two of five servers that are dead at the same time fail no attempt', async () => {
  const [first = '', second = ''] = await podsOf('redis')
  await granting('two of five servers deleted by force', async () => {
    await Promise.all([deletePod(first, 'by force'), deletePod(second, 'by force')])
    await sleep(10_000)
  })
  await everythingReady(120)
})

/** Resolves with a node that has servers, but neither the clients of the locks nor their store of fences. */
async function victimNode(): Promise<string> {
  const text = await kubectl(['get', 'pods', '--output=json'])
  const { items } = JSON.parse(text) as { items: { metadata: { name: string }; spec: { nodeName: string } }[] }
  const nodesOf = (pattern: RegExp) =>
    items.filter(({ metadata }) => pattern.test(metadata.name)).map(({ spec }) => spec.nodeName)
  const needed = new Set(nodesOf(/^(locker|ingot-postgres-0)$/))
  const servers = nodesOf(/^ingot-redis-\d$/)
  const node = servers.find((one) => !needed.has(one) && servers.filter((other) => other === one).length <= 2)
  if (node === undefined) throw new Error(`no node has at most two servers and no client: ${servers.join(', ')}`)
  return node
}

test('a node that freezes fails no attempt', async () => {
  const node = await victimNode()
  const options = () => ({ signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 })
  await granting('a node frozen for 15 s', async () => {
    await machines.freeze(node, options())
    try {
      await sleep(15_000)
    } finally {
      await machines.thaw(node, options())
    }
  })
  await everythingReady(180)
})

test('three of five servers that are frozen grant nothing, until they are back', async () => {
  const frozen = (await podsOf('redis')).slice(0, 3)
  const since = Date.now()
  await Promise.all(frozen.map((pod) => signal(pod, 'STOP')))
  try {
    // a grant under way may still get its last vote
    await sleep(3_000)
    const without = Date.now()
    await sleep(7_000)
    expect(await lockReportSince(without)).toMatchObject({ acknowledged: 0 })
  } finally {
    await Promise.all(frozen.map((pod) => signal(pod, 'CONT')))
  }
  await eventually('locks are granted', 60, async () => (await lockReportSince(Date.now() - 2_000)).acknowledged > 10)
  const report = await lockReportSince(since)
  figures.push({ fault: 'three of five servers frozen for 10 s', ...report })
  expect(report).toMatchObject({ overlaps: 0, fallen: 0 })
  expect(Object.keys(report.failed).length).toBeGreaterThan(0)
})
