/**
 * Drills on a real cluster: from a shell, and from the operator as resources. Needs kind with the images ingot:dev, redis:8.0
 * and grafana/k6:1.8.1.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../../../../src/drill/checkout.ts'
import type { DrillReport } from '../../../../src/drill/report/model.ts'
import { eventually, kubectl, operatorKubectl, operatorLeader, podUids } from './cluster.ts'
import {
  drillRelease,
  expectNothingLeft,
  finished,
  MODE,
  plugin,
  start,
  startBystander,
  statusOf,
} from './drill-release.ts'

drillRelease({ 'drills.exec': true, 'drills.processes': true })

const target = { release: 'ingot' }

/** Resolves with the verdict of a drill and its reason, which a failed test then shows. */
async function endOf(name: string): Promise<string> {
  const { verdict, message } = await finished(name)
  return `${verdict}: ${message}`
}

test('D1 from a shell: the primary and its successor are killed, and nothing is lost', async () => {
  const { code, text } = await plugin('run', join(ROOT, 'k8s', 'drills', 'd01-stale-address.yaml'), '--local')
  expect(text).toContain('Pass: AllCriteriaMet')
  expect(code).toBe(0)
  await expectNothingLeft()
})

test('a partition from the operator: a verdict, a report, and nothing left behind', async () => {
  await start('partition', { target, scenario: 'D11' })
  const status = await finished('partition')
  if (MODE === 'cluster') {
    // links of the bus of a cluster live on in this network
    expect(status).toMatchObject({ verdict: 'Inconclusive', reason: 'FaultUnproven' })
  } else {
    expect(status).toMatchObject({ verdict: 'Pass', undo: [], summary: { lost: 0, duplicates: 0 } })
    expect(status.faults?.[0]).toMatchObject({ state: 'Proven' })
  }
  expect(status.summary?.acknowledged).toBeGreaterThan(100)
  const { text } = await plugin('report', 'partition', '--format', 'json')
  const report = JSON.parse(text) as DrillReport
  expect(report).toMatchObject({ verdict: status.verdict, history: { sha256: status.report?.sha256 } })
  expect((await plugin('watch', 'partition')).code).toBe(status.verdict === 'Pass' ? 0 : 3)
  await expectNothingLeft()
})

describe('a fault is undone within 30 seconds', () => {
  const faults = [{ name: 'more', action: 'Scale', target: { component: 'service' }, replicas: 4, hold: '10m' }]

  async function held(name: string): Promise<void> {
    await start(name, { target, faults, load: { rate: 10 } })
    const isScaled = async (): Promise<boolean> => {
      const { undo = [], faults: seen = [] } = await statusOf(name)
      return undo.length === 1 && seen[0]?.state === 'Proven'
    }
    await eventually('the fault is proven', 200, isScaled)
  }

  const isRestored = async (): Promise<boolean> =>
    (await kubectl(['get', 'deployment', 'ingot', '--output=jsonpath={.spec.replicas}'])) === '3'

  test('after the death of the runner', async () => {
    await held('killed')
    const pods = ['pods', '--selector=ingot.dev/drill-role=runner', '--field-selector=status.phase=Running']
    const pod = await kubectl(['get', ...pods, '--output=jsonpath={.items[0].metadata.name}'])
    await kubectl(['delete', 'pod', pod, '--grace-period=0', '--force', '--wait=false'])
    await eventually('the number of pods is restored', 30, isRestored)
    expect(await finished('killed')).toMatchObject({ verdict: 'Inconclusive', reason: 'RunnerDied', undo: [] })
    await expectNothingLeft()
  })

  test('after spec.cancel', async () => {
    await held('cancelled')
    await kubectl(['patch', 'failoverdrill', 'cancelled', '--type=merge', '--patch={"spec":{"cancel":true}}'])
    await eventually('the number of pods is restored', 30, isRestored)
    expect(await finished('cancelled')).toMatchObject({ verdict: 'Aborted', reason: 'Cancelled', undo: [] })
    await expectNothingLeft()
  })

  test('after the deletion of the drill', async () => {
    await held('deleted')
    await kubectl(['delete', 'failoverdrill', 'deleted', '--timeout=60s'], 70)
    await eventually('the number of pods is restored', 30, isRestored)
    await expectNothingLeft()
  })
})

test('a fault that never happens is inconclusive', async () => {
  const faults = [{ name: 'node', action: 'External', external: { node: 'ingot-worker', timeout: '5s' } }]
  await start('never', { target, faults, load: { rate: 10 } })
  const status = await finished('never')
  expect(status.verdict).toBe('Inconclusive')
  expect(status.faults?.[0]?.state).not.toBe('Proven')
})

test('signals reach the processes of pods that share their process namespace', async () => {
  const faults = [
    { name: 'pause', action: 'Pause', target: { component: 'redis', role: 'primary' }, hold: '8s' },
    { name: 'crash', action: 'KillInPlace', when: 'Recovered', target: { component: 'service' } },
    { name: 'delete', action: 'Delete', when: 'Recovered', target: { component: 'redis', role: 'primary' } },
  ]
  await start('signals', { target, faults })
  expect(await endOf('signals')).toMatch(/^Pass/)
  expect(await statusOf('signals')).toMatchObject({ summary: { lost: 0, duplicates: 0 } })
  await expectNothingLeft()
})

test('a dry run names the victims, and breaks nothing', async () => {
  const before = await podUids()
  await start('dry', { target, scenario: 'D4', dryRun: true })
  const status = await finished('dry')
  expect(status).toMatchObject({ verdict: 'Inconclusive', reason: 'DryRun' })
  expect(status.faults?.[0]?.victims?.length).toBeGreaterThan(2)
  expect(await podUids()).toMatchObject(before)
})

test('beside another client, its failures are counted apart, and end the drill at their limit', async () => {
  const stop = await startBystander()
  try {
    await start('beside', { target, scenario: 'D2' })
    expect(await endOf('beside')).toMatch(/^Pass/)
    expect(await statusOf('beside')).toMatchObject({ summary: { bystanderErrors: 0 } })
    // Redis fails no write in front of Postgres, so its store is killed until enough writes have failed
    const store = { action: 'Kill', target: { component: 'postgres' } }
    const faults = [1, 2, 3].map((round) => ({ name: `store-${round}`, after: '1s', ...store }))
    await start('harmful', { target, faults, abort: { bystanders: { errors: 3 } } })
    const status = await finished('harmful')
    expect(status).toMatchObject({ verdict: 'Aborted', reason: 'Bystanders' })
    expect(status.summary?.bystanderErrors).toBeGreaterThanOrEqual(3)
  } finally {
    await stop()
  }
  await expectNothingLeft()
})

test('a leader of the operators that is killed during a drill changes no verdict', async () => {
  await start('led', { target, scenario: 'D2' })
  await eventually('the load runs', 200, async () => (await statusOf('led')).phase === 'Load')
  await operatorKubectl(['delete', 'pod', await operatorLeader(), '--grace-period=0', '--force', '--wait=false'])
  expect(await endOf('led')).toMatch(/^Pass/)
  expect(await statusOf('led')).toMatchObject({ summary: { lost: 0, duplicates: 0 } })
  await expectNothingLeft()
})
