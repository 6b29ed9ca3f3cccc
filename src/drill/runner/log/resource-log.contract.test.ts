/** The status of a drill on a real API server: its finalizer, its generation, and the request to end it. */
import { beforeEach, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../../../kube/client/api.ts'
import { createKubeConnection } from '../../../kube/client/connection.ts'
import type { KubeObject } from '../../../kube/client/resource.ts'
import { DEFINITIONS } from '../../../kube/crd/definition.ts'
import { definitions } from '../../../operator/installed.ts'
import { systemClock } from '../../../std/clock.ts'
import { untilTrue } from '../../../std/until.ts'
import { shareApiServer } from '../../../testing/kube/shared-api-server.ts'
import { FAILOVER_DRILLS } from '../../spec/kinds.ts'
import type { UndoStep } from '../../spec/status.ts'
import type { DrillAborted } from '../aborts.ts'
import { createResourceLog, statusOf } from './resource-log.ts'

const apiServer = shareApiServer()
const namespace = 'default'
const soon = (): AbortSignal => AbortSignal.timeout(20_000)
const SOON = { withinMs: 20_000, everyMs: 100 }
const STEP: UndoStep = { id: 'a-0', fault: 'a', kind: 'Uncordon', args: { node: 'n1' } }

let api: KubeApi
let isPrepared = false

beforeEach(async ({ skip }) => {
  if (isPrepared) return
  api = createKubeApi(createKubeConnection({ clock: systemClock, kubeconfig: apiServer(skip).kubeconfig }))
  for (const definition of definitions('0.0.0')) await api.apply(DEFINITIONS, definition, soon())
  const isServed = async (): Promise<boolean> => {
    const { status } = await api.connection.send({ method: 'GET', path: '/apis/ingot.dev/v1alpha1', signal: soon() })
    return status === 200
  }
  await untilTrue('the kinds', isServed, SOON)
  isPrepared = true
})

async function create(name: string): Promise<KubeObject> {
  const spec = { target: { release: 'shop' }, scenario: 'D1' }
  const attempt = () => api.create(FAILOVER_DRILLS, { metadata: { name, namespace }, spec }, soon())
  let drill: KubeObject | undefined
  await untilTrue('the drill', async () => (drill = await attempt().catch(() => undefined)) !== undefined, SOON)
  if (drill === undefined) throw new Error('there is no drill')
  return drill
}

const read = async (name: string): Promise<KubeObject | undefined> =>
  api.get(FAILOVER_DRILLS, { namespace, name }, soon())

test('the finalizer is there exactly while steps are to be undone', async () => {
  const drill = await create('finalizer')
  const log = createResourceLog(api, drill)
  await log.write({ phase: 'Faults', undo: [STEP] }, soon())
  expect(await read('finalizer')).toMatchObject({ metadata: { finalizers: ['ingot.dev/undo'] } })
  await api.delete(FAILOVER_DRILLS, { namespace, name: 'finalizer' }, soon())
  expect(statusOf((await read('finalizer')) ?? drill).undo).toEqual([STEP])
  await log.write({ phase: 'Faults', undo: [] }, soon())
  expect(await read('finalizer')).toBeUndefined()
})

test('conditions have the generation of a drill that was cancelled meanwhile', async () => {
  const log = createResourceLog(api, await create('cancelled'))
  await api.patch(FAILOVER_DRILLS, { namespace, name: 'cancelled' }, { spec: { cancel: true } }, soon())
  await log.write({ verdict: 'Aborted', reason: 'Cancelled', message: 'spec.cancel was set' }, soon())
  const drill = await read('cancelled')
  const generations = statusOf(drill ?? { metadata: { name: '' } }).conditions?.map((one) => one.observedGeneration)
  expect(drill?.metadata.generation).toBe(2)
  expect(new Set(generations)).toEqual(new Set([2]))
})

test.each([
  ['Cancelled', { 'ingot.dev/abort': 'Cancelled' }],
  ['Stopped', { 'ingot.dev/abort': 'Stopped' }],
])('%s: the annotation of the operator ends the drill', async (reason, annotations) => {
  const name = `end-${reason.toLowerCase()}`
  const log = createResourceLog(api, await create(name))
  const ending = new AbortController()
  let ended: DrillAborted | undefined
  const watching = log.watch((why) => (ended = why), ending.signal)
  await api.patch(FAILOVER_DRILLS, { namespace, name }, { metadata: { annotations } }, soon())
  await watching
  expect(ended?.reason).toBe(reason)
})

test('a drill that is gone ends too', async () => {
  const log = createResourceLog(api, await create('gone'))
  let ended: DrillAborted | undefined
  const watching = log.watch((why) => (ended = why), new AbortController().signal)
  await api.delete(FAILOVER_DRILLS, { namespace, name: 'gone' }, soon())
  await watching
  expect(ended?.reason).toBe('Deleted')
})
