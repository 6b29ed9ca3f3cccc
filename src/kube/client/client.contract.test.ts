/** Connection and API on a server that misbehaves, and on a real API server. */
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { silentLog } from '../../telemetry/log.ts'
import { startFakeApiServer } from '../../testing/kube/fake-api-server.ts'
import { shareApiServer } from '../../testing/kube/shared-api-server.ts'
import { createEventRecorder } from '../runtime/event-recorder.ts'
import { unmeasuredRuntime } from '../runtime/measures.ts'
import { createKubeApi } from './api.ts'
import { createKubeConnection } from './connection.ts'
import type { Resource } from './resource.ts'

const CONFIG_MAPS: Resource = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true }
const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true }
const AT = { namespace: 'default', name: 'one' }
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

describe('on a server that misbehaves', () => {
  async function fixture() {
    const scope = createScope()
    const server = await startFakeApiServer()
    scope.defer(() => server[Symbol.asyncDispose]())
    const connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
    scope.defer(() => connection[Symbol.dispose]())
    return { server, connection, api: createKubeApi(connection), scope }
  }

  test.each([
    [
      { kind: 'status', status: 403 },
      { code: 'KUBE_FORBIDDEN', retryable: false },
    ],
    [
      { kind: 'status', status: 409 },
      { code: 'KUBE_CONFLICT', retryable: true },
    ],
    [
      { kind: 'status', status: 429, retryAfterSeconds: 3 },
      { code: 'KUBE_UNAVAILABLE', retryable: true, facts: { status: 429, retryAfterMs: 3_000 } },
    ],
    [
      { kind: 'status', status: 500 },
      { code: 'KUBE_UNAVAILABLE', retryable: true },
    ],
    [{ kind: 'reset' }, { code: 'KUBE_UNREACHABLE', retryable: true }],
    [{ kind: 'garbage' }, { code: 'KUBE_UNAVAILABLE', retryable: true }],
  ] as const)('%j rejects with %j', async (fault, error) => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    server.failNext(fault)
    await expect(api.list(CONFIG_MAPS, {}, soon())).rejects.toMatchObject(error)
  })

  test('a server that never responds is given up at the deadline', async () => {
    const { server, connection, scope } = await fixture()
    await using _ = scope
    server.failNext({ kind: 'hang' })
    const request = {
      method: 'GET',
      path: '/api/v1/namespaces/default/configmaps',
      signal: soon(),
      deadlineMs: 50,
    } as const
    await expect(connection.send(request)).rejects.toThrow(/no response within 50 ms/)
    server.failNext({ kind: 'hang' })
    await expect(connection.open(request)).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' })
  })

  test('a call ends with the reason of its signal', async () => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    server.failNext({ kind: 'hang' })
    await expect(api.get(CONFIG_MAPS, AT, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  })

  test('a server that is gone is unreachable', async () => {
    const { server, api } = await fixture()
    await server[Symbol.asyncDispose]()
    await expect(api.get(CONFIG_MAPS, AT, soon())).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' })
  })

  test('an event that repeats is written once, and counted on after ten seconds', async () => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    const recorder = createEventRecorder({
      api,
      instance: 'test',
      clock: systemClock,
      log: silentLog,
      measures: unmeasuredRuntime,
    })
    const about = { metadata: { ...AT, uid: 'u1' } }
    const entry = { type: 'Warning', reason: 'NoPrimary', action: 'Observe', note: 'no primary' } as const
    for (let time = 0; time < 50; time++) await recorder.record(CONFIG_MAPS, about, entry, soon())
    await recorder.record(CONFIG_MAPS, about, { ...entry, reason: 'Other' }, soon())
    await recorder.record(CONFIG_MAPS, { metadata: { ...AT, uid: 'u2' } }, entry, soon())
    expect(server.objects('/apis/events.k8s.io/v1/namespaces/default/events')).toHaveLength(3)
  })

  test('an event that cannot be written fails nobody', async () => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    server.failNext({ kind: 'status', status: 403 })
    const recorder = createEventRecorder({
      api,
      instance: 'test',
      clock: systemClock,
      log: silentLog,
      measures: unmeasuredRuntime,
    })
    const entry = { type: 'Normal', reason: 'Fine', action: 'Observe', note: '' } as const
    await recorder.record(CONFIG_MAPS, { metadata: AT }, entry, soon())
    expect(server.requests).toHaveLength(1)
  })
})

test('a kubeconfig that does not exist is refused with what to do', () => {
  const open = () => createKubeConnection({ clock: systemClock, kubeconfig: '/nonexistent/kubeconfig' })
  expect(open).toThrow(expect.objectContaining({ code: 'KUBE_CONFIG_INVALID' }))
})

describe('on a real API server', () => {
  const apiServer = shareApiServer()

  test('a deletion with options leaves the connection usable, and is refused for another object of the name', async ({
    skip,
  }) => {
    using connection = createKubeConnection({
      clock: systemClock,
      kubeconfig: apiServer(skip).kubeconfig,
      maxConnections: 1,
    })
    const api = createKubeApi(connection)
    const first = await api.apply(CONFIG_MAPS, { metadata: AT, data: {} }, soon())
    const path = '/api/v1/namespaces/default/configmaps/one'
    const remove = (uid: string | undefined) =>
      connection.send({ method: 'DELETE', path, body: { preconditions: { uid } }, signal: soon() })
    expect(await remove('another')).toMatchObject({ status: 409 })
    expect(await remove(first.metadata.uid)).toMatchObject({ status: 200 })
    expect(await api.get(CONFIG_MAPS, AT, soon())).toBeUndefined()
  })

  test('objects are applied, read, replaced, patched and deleted', async ({ skip }) => {
    using connection = createKubeConnection({ clock: systemClock, kubeconfig: apiServer(skip).kubeconfig })
    const api = createKubeApi(connection)
    expect(await api.get(CONFIG_MAPS, AT, soon())).toBeUndefined()
    const first = await api.apply(CONFIG_MAPS, { metadata: AT, data: { a: '1' } }, soon())
    // a field that is no longer applied goes away
    const second = await api.apply(CONFIG_MAPS, { metadata: AT, data: { b: '2' } }, soon())
    expect(second['data']).toEqual({ b: '2' })
    await expect(api.replace(CONFIG_MAPS, first, soon())).rejects.toMatchObject({ code: 'KUBE_CONFLICT' })
    await expect(api.create(CONFIG_MAPS, { metadata: AT }, soon())).rejects.toMatchObject({ code: 'KUBE_CONFLICT' })
    const third = await api.patch(CONFIG_MAPS, AT, { data: { c: '3' } }, soon())
    expect(third['data']).toEqual({ b: '2', c: '3' })
    await api.delete(CONFIG_MAPS, AT, soon())
    await api.delete(CONFIG_MAPS, AT, soon())
    expect(await api.get(CONFIG_MAPS, AT, soon())).toBeUndefined()
  })

  test('what is wrong with an object is in the message', async ({ skip }) => {
    using connection = createKubeConnection({ clock: systemClock, kubeconfig: apiServer(skip).kubeconfig })
    const api = createKubeApi(connection)
    const wrong = api.apply(CONFIG_MAPS, { metadata: { ...AT, name: 'Not_A_Name' }, data: {} }, soon())
    await expect(wrong).rejects.toThrow(expect.objectContaining({ code: 'KUBE_INVALID' }))
    await expect(wrong).rejects.toThrow(/Not_A_Name/)
  })

  test('Events are accepted, and counted on', async ({ skip }) => {
    using connection = createKubeConnection({ clock: systemClock, kubeconfig: apiServer(skip).kubeconfig })
    const api = createKubeApi(connection)
    let aheadMs = 0
    const clock = { ...systemClock, monotonicMs: () => performance.now() + aheadMs }
    const recorder = createEventRecorder({ api, instance: 'test', clock, log: silentLog, measures: unmeasuredRuntime })
    const about = await api.apply(CONFIG_MAPS, { metadata: { ...AT, name: 'noted' } }, soon())
    const entry = { type: 'Warning', reason: 'NoPrimary', action: 'Observe', note: 'no primary' } as const
    for (let time = 0; time < 3; time++) {
      await recorder.record(CONFIG_MAPS, about, entry, soon())
      aheadMs += 11_000
    }
    const { items } = await api.list(EVENTS, { namespace: 'default' }, soon())
    const ours = items.filter(({ regarding }) => JSON.stringify(regarding).includes('"noted"'))
    expect(ours).toMatchObject([{ reason: 'NoPrimary', series: { count: 3 } }])
  })

  test('a hundred calls use few connections', async ({ skip }) => {
    using connection = createKubeConnection({ clock: systemClock, kubeconfig: apiServer(skip).kubeconfig })
    const api = createKubeApi(connection)
    for (let call = 0; call < 100; call++) await api.get(CONFIG_MAPS, AT, soon())
    const sockets = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap' || kind === 'TLSWrap')
    expect(sockets.length).toBeLessThan(10)
  })
})
