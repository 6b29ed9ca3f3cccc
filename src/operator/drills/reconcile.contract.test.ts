/** Drills on a real API server with its controllers: admission, aborts, and the undo when a runner dies. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { UndoStep } from '../../drill/spec/status.ts'
import { LEASES } from '../../kube/runtime/leadership-term.ts'
import { createScope } from '../../std/scope.ts'
import {
  type DrillNamespace,
  type OperatedDrills,
  soon,
  startOperatedDrills,
} from '../../testing/kube/operated-drills.ts'
import { present } from '../../testing/present.ts'
import { PODS } from '../topology/pods.ts'
import { ACCOUNTS } from './release.ts'

const scope = createScope()
let absent: string | undefined
let drills: OperatedDrills
let shop: DrillNamespace
let stop: () => Promise<void>

beforeAll(async () => {
  const started = await startOperatedDrills()
  if ('absent' in started) {
    absent = started.absent
    return
  }
  drills = started
  scope.defer(() => drills[Symbol.asyncDispose]())
  stop = drills.operate()
  scope.defer(() => stop())
}, 60_000)
beforeEach(async ({ skip }) => {
  present(absent === undefined ? {} : { absent }, skip)
  shop = await drills.namespace()
})
afterAll(() => scope.close())

const STARTED = { phase: 'Faults', startedAt: '2026-01-02T03:04:05Z' } as const
const INJECTED = { name: 'hold', action: 'Pause', state: 'Injected' } as const
const STEP: UndoStep = { id: '1', fault: 'hold', kind: 'Resume', args: { pod: 'shop-redis-0' } }
const STRUCK = { ...STARTED, faults: [INJECTED], undo: [STEP] }
const PROVEN = { ...INJECTED, state: 'Proven' } as const

/** Starts a drill, and resolves with the pod of its runner, which has injected a fault. */
async function struck(name: string) {
  await shop.install('shop')
  await shop.create(name)
  const pod = await shop.pod(name, 'runner')
  await shop.report(name, STRUCK)
  return pod
}

/** Carries out the steps as the undo Job does, and ends its pod. */
async function undo(name: string): Promise<void> {
  const pod = await shop.pod(name, 'undo')
  await shop.report(name, { undo: [] })
  await shop.endPod(pod, 0)
}

test('a drill waits for what is missing, says what it is, and then starts', async () => {
  await drills.api.patch(
    { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false },
    { name: shop.namespace },
    { metadata: { labels: { 'ingot.dev/drills': null } } },
    soon(),
  )
  const { metadata } = await shop.create('one')
  const closed = await shop.untilStatus('one', { phase: 'Pending', reason: 'NamespaceClosed' })
  expect(closed.message).toContain('kubectl label namespace')
  await shop.label({ 'ingot.dev/drills': 'allowed' })
  await shop.untilStatus('one', { reason: 'ReleaseMissing' })
  await shop.install('shop', { account: false })
  const missing = await shop.untilStatus('one', { reason: 'RunnerMissing' })
  expect(missing.message).toContain('drills.enabled=true')
  await drills.api.create(ACCOUNTS, { metadata: { namespace: shop.namespace, name: 'shop-drill' } }, soon())
  const started = await shop.untilStatus('one', { phase: 'Pending', reason: 'Started', job: 'one-run' })
  expect(started.conditions?.find(({ type }) => type === 'Accepted')).toMatchObject({ status: 'True' })
  const { spec } = await shop.pod('one', 'runner')
  expect(spec).toMatchObject({
    serviceAccountName: 'shop-drill',
    containers: [
      { name: 'runner', image: 'ingot:0.1.0', command: ['node', 'dist/cli.js', 'drill', 'run', '--resource', 'one'] },
    ],
    initContainers: [{ name: 'k6', restartPolicy: 'Always' }, { name: 'canary' }],
  })
  const lease = await drills.api.get(LEASES, { namespace: shop.namespace, name: 'ingot-drill-shop' }, soon())
  expect(lease?.['spec']).toMatchObject({ holderIdentity: metadata.uid })
  expect(await shop.reasonsOfEvents()).toContain('DrillStarted')
}, 60_000)

test('drills of one target run one after the other', async () => {
  await shop.install('shop')
  await shop.create('first')
  const pod = await shop.pod('first', 'runner')
  await shop.create('second')
  const busy = await shop.untilStatus('second', { reason: 'TargetBusy' })
  expect(busy.message).toContain('the drill first')
  expect(await shop.jobs('second', 'runner')).toEqual([])
  await shop.report('first', { ...STARTED, verdict: 'Pass', reason: 'AllMet', faults: [PROVEN] })
  await shop.endPod(pod, 0)
  await shop.pod('second', 'runner')
  await shop.untilStatus('first', { verdict: 'Pass', reason: 'AllMet' })
  expect(await shop.jobs('first', 'runner')).toHaveLength(1)
  expect(await shop.reasonsOfEvents()).toEqual(expect.arrayContaining(['DrillRefused', 'DrillFinished']))
}, 60_000)

test('the faults of a runner that was killed are undone, and the verdict is Inconclusive', async () => {
  await shop.endPod(await struck('killed'), 137, 'OOMKilled')
  const undoing = await shop.untilStatus('killed', { reason: 'Undoing' })
  expect(undoing.verdict).toBeUndefined()
  await undo('killed')
  const ended = await shop.untilStatus('killed', { phase: 'Finished', verdict: 'Inconclusive', reason: 'RunnerDied' })
  expect(ended.undo ?? []).toEqual([])
  expect((await shop.get('killed'))?.metadata).not.toHaveProperty('finalizers')
  expect(await shop.jobs('killed', 'undo')).toHaveLength(1)
}, 60_000)

test('a pod of a runner that is deleted is a runner that died', async () => {
  const { metadata } = await struck('evicted')
  await drills.api.delete(PODS, { namespace: shop.namespace, name: metadata.name }, soon())
  await undo('evicted')
  await shop.untilStatus('evicted', { verdict: 'Inconclusive', reason: 'RunnerDied' })
}, 60_000)

test('a runner that ends without a verdict died, also before its first fault', async () => {
  await shop.install('shop')
  await shop.create('quiet')
  const pod = await shop.pod('quiet', 'runner')
  await shop.report('quiet', { ...STARTED, phase: 'Gate' })
  await shop.endPod(pod, 0)
  const ended = await shop.untilStatus('quiet', { verdict: 'Inconclusive', reason: 'RunnerDied' })
  expect(ended.message).toContain('without a verdict')
  expect(await shop.jobs('quiet', 'undo')).toEqual([])
}, 60_000)

test('an undo that fails says what is left, and is repeated', async () => {
  await shop.endPod(await struck('stubborn'), 1)
  await shop.endPod(await shop.pod('stubborn', 'undo'), 1)
  const failed = await shop.untilStatus('stubborn', { reason: 'UndoFailed' })
  expect(failed.message).toContain('Resume of the fault hold')
  expect(failed.verdict).toBeUndefined()
  await undo('stubborn')
  await shop.untilStatus('stubborn', { verdict: 'Inconclusive', reason: 'RunnerDied' })
  expect(await shop.jobs('stubborn', 'undo')).toHaveLength(2)
  expect(await shop.reasonsOfEvents()).toEqual(expect.arrayContaining(['UndoStarted', 'UndoFailed']))
}, 60_000)

test('the runner of a cancelled drill gets the reason, and its own verdict stays', async () => {
  const pod = await struck('cancelled')
  const at = { namespace: shop.namespace, name: 'cancelled' }
  await drills.api.patch(FAILOVER_DRILLS, at, { spec: { cancel: true } }, soon())
  await shop.untilAbort('cancelled', 'Cancelled')
  await shop.report('cancelled', { verdict: 'Aborted', reason: 'Cancelled', message: 'as asked', undo: [] })
  await shop.endPod(pod, 0)
  const ended = await shop.untilStatus('cancelled', { phase: 'Finished', verdict: 'Aborted' })
  expect(ended.message).toBe('as asked')
  expect(await shop.jobs('cancelled', 'undo')).toEqual([])
}, 60_000)

test('the annotation of a namespace ends its drills, and holds new ones', async () => {
  await struck('running')
  await shop.label({}, { 'ingot.dev/drills-stop': 'true' })
  await shop.untilAbort('running', 'Stopped')
  await shop.create('late', { target: { release: 'other' }, scenario: 'D2' })
  await shop.untilStatus('late', { phase: 'Pending', reason: 'DrillsStopped' })
  // the runner does nothing: its Job is deleted, and the operator undoes its faults
  drills.advance(21_000)
  await undo('running')
  await shop.untilStatus('running', { verdict: 'Aborted', reason: 'Stopped' })
  await shop.label({}, { 'ingot.dev/drills-stop': null })
  await shop.untilStatus('late', { reason: 'ReleaseMissing' })
}, 60_000)

test('a deleted drill stays until its faults are undone', async () => {
  const pod = await struck('deleted')
  await drills.api.delete(FAILOVER_DRILLS, { namespace: shop.namespace, name: 'deleted' }, soon())
  await shop.untilAbort('deleted', 'Deleted')
  await shop.endPod(pod, 143)
  const undoPod = await shop.pod('deleted', 'undo')
  expect((await shop.get('deleted'))?.metadata.deletionTimestamp).toBeDefined()
  const at = { namespace: shop.namespace, name: 'deleted' }
  await drills.api.patchStatus(FAILOVER_DRILLS, at, { status: { undo: [] } }, soon())
  await shop.endPod(undoPod, 0)
  await shop.untilGone('deleted')
}, 60_000)

test('an operator that starts in the middle of a drill gives the same verdict', async () => {
  const pod = await struck('orphaned')
  await stop()
  await shop.endPod(pod, 137, 'OOMKilled')
  stop = drills.operate()
  const undoPod = await shop.pod('orphaned', 'undo')
  await stop()
  await shop.report('orphaned', { undo: [] })
  await shop.endPod(undoPod, 0)
  stop = drills.operate()
  await shop.untilStatus('orphaned', { verdict: 'Inconclusive', reason: 'RunnerDied' })
  expect(await shop.jobs('orphaned', 'undo')).toHaveLength(1)
}, 60_000)

test('an operator without drills ends those that run, and starts none', async () => {
  await struck('running')
  await stop()
  stop = drills.operate({ isDisabled: true })
  await shop.untilAbort('running', 'Disabled')
  await shop.create('new', { target: { release: 'other' }, scenario: 'D2' })
  await shop.untilStatus('new', { phase: 'Pending', reason: 'DrillsDisabled' })
  await stop()
  stop = drills.operate()
}, 60_000)
