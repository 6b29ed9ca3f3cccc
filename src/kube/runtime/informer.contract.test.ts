/** The informer on a server that misbehaves, and on a real API server. */
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../std/clock.ts'
import { createRandom } from '../../std/random.ts'
import { createScope } from '../../std/scope.ts'
import { untilTrue } from '../../std/until.ts'
import { silentLog } from '../../telemetry/log.ts'
import { type FakeApiServer, startFakeApiServer, type WatchFault } from '../../testing/kube/fake-api-server.ts'
import { shareApiServer } from '../../testing/kube/shared-api-server.ts'
import { createKubeApi, type KubeApi } from '../client/api.ts'
import { createKubeConnection } from '../client/connection.ts'
import { type KubeObject, keyOf, type Resource } from '../client/resource.ts'
import { createInformer, type Informer, type InformerOptions } from './informer.ts'
import { unmeasuredRuntime } from './measures.ts'

const CONFIG_MAPS: Resource = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true }
const COLLECTION = '/api/v1/namespaces/default/configmaps'
const SOON = { withinMs: 15_000, everyMs: 5 }
/** Short, because a test of silence has to live through it. */
const QUICK = { silenceMs: 300, backoff: { baseMs: 5, maxMs: 50 } }

interface Watching extends AsyncDisposable {
  readonly informer: Informer<KubeObject>
  /** The objects as a listener knows them, from the changes alone. */
  readonly told: ReadonlyMap<string, KubeObject>
}

async function watching(api: KubeApi, options: Partial<InformerOptions<KubeObject>> = {}): Promise<Watching> {
  const informer = createInformer(
    { resource: CONFIG_MAPS, namespace: 'default', ...QUICK, ...options },
    { api, clock: systemClock, random: Math.random, log: silentLog, measures: unmeasuredRuntime },
  )
  const told = new Map<string, KubeObject>()
  informer.onChange((key, before, after) => {
    expect(told.get(key)?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion)
    if (after === undefined) told.delete(key)
    else told.set(key, after)
  })
  const stop = new AbortController()
  const running = informer.run(stop.signal)
  await informer.synced
  return {
    informer,
    told,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the test ended'))
      await running
    },
  }
}

const configMap = (name: string, data: Readonly<Record<string, string>> = {}): KubeObject => ({
  metadata: { name, namespace: 'default' },
  data,
})

/** Versions by key, to compare a cache with its server. */
const versions = (objects: Iterable<KubeObject>): Record<string, string | undefined> =>
  Object.fromEntries([...objects].map((object) => [keyOf(object), object.metadata.resourceVersion]))

describe('on a server that misbehaves', () => {
  const DISTURBANCES: readonly WatchFault[] = [
    { kind: 'reset' },
    { kind: 'end' },
    { kind: 'silence' },
    { kind: 'drip' },
    { kind: 'error', status: 410 },
    { kind: 'error', status: 500 },
    { kind: 'error', status: 429, retryAfterSeconds: 0.05 },
    { kind: 'duplicate' },
    { kind: 'reorder' },
    { kind: 'garbage' },
  ]

  async function fixture() {
    const scope = createScope()
    const server = await startFakeApiServer()
    scope.defer(() => server[Symbol.asyncDispose]())
    const connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
    scope.defer(() => connection[Symbol.dispose]())
    return { server, api: createKubeApi(connection), scope }
  }

  const isCurrent = ({ informer, told }: Watching, server: FakeApiServer): boolean => {
    const wanted = JSON.stringify(versions(server.objects(COLLECTION)))
    const sorted = (objects: Iterable<KubeObject>): string =>
      JSON.stringify(versions([...objects].toSorted((a, b) => (order(server, a) < order(server, b) ? -1 : 1))))
    return sorted(informer.all()) === wanted && sorted(told.values()) === wanted
  }
  const order = (server: FakeApiServer, object: KubeObject): number =>
    server.objects(COLLECTION).findIndex(({ metadata }) => metadata.name === object.metadata.name)

  test.each(DISTURBANCES)('a change after $kind $status is seen', async (fault) => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    server.put(`${COLLECTION}/first`, configMap('first'))
    server.put(`${COLLECTION}/first`, configMap('first', { changed: 'once' }))
    await using all = await watching(api)
    await untilTrue('a watch', async () => server.openWatches === 1, SOON)
    server.disturb(fault)
    server.put(`${COLLECTION}/second`, configMap('second'))
    server.remove(`${COLLECTION}/first`)
    await untilTrue('both changes', async () => isCurrent(all, server), SOON)
  })

  test('a watch from a version that is gone leads to a list', async () => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    server.put(`${COLLECTION}/first`, configMap('first'))
    await using all = await watching(api)
    await untilTrue('a watch', async () => server.openWatches === 1, SOON)
    server.disturb({ kind: 'silence' })
    server.remove(`${COLLECTION}/first`)
    server.compact()
    server.disturb({ kind: 'reset' })
    await untilTrue('the deletion', async () => isCurrent(all, server), SOON)
  })

  test.each([
    { kind: 'status', status: 500 },
    { kind: 'status', status: 429, retryAfterSeconds: 0.05 },
    { kind: 'status', status: 403 },
    { kind: 'reset' },
    { kind: 'garbage' },
  ] as const)('a list that is refused ($kind $status) is repeated', async (fault) => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    server.put(`${COLLECTION}/first`, configMap('first'))
    server.failNext(fault)
    server.failNext(fault)
    await using all = await watching(api)
    expect(isCurrent(all, server)).toBe(true)
  })

  test('a refused list waits for as long as Retry-After says', async () => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    server.failNext({ kind: 'status', status: 429, retryAfterSeconds: 0.4 })
    const beganMs = performance.now()
    await using watched = await watching(api)
    expect(watched.informer.all()).toEqual([])
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(390)
  })

  test('a list of several pages is read to its end', async () => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    for (let number = 0; number < 1_201; number++) server.put(`${COLLECTION}/c${number}`, configMap(`c${number}`))
    await using all = await watching(api)
    expect(all.informer.all()).toHaveLength(1_201)
    expect(server.requests.filter((line) => line.includes('limit='))).toHaveLength(3)
  })

  test('a server that refuses every watch gets few requests', async () => {
    const { server, api, scope } = await fixture()
    await using _ = scope
    for (let time = 0; time < 1_000; time++) server.failNext({ kind: 'status', status: 410 }, /watch=true/)
    await using watched = await watching(api, { backoff: { baseMs: 100, maxMs: 10_000 } })
    await systemClock.sleep(1_000)
    expect(watched.informer.staleMs()).toBeLessThan(1_000)
    // full jitter from 100 ms: 2 requests a round, and a round every 50, 100, 200, … ms on average
    expect(server.requests.length).toBeLessThan(100)
  })

  test.each([1, 2, 3])(
    'whatever happens, the cache and the listener end with what the server has (seed %i)',
    async (seed) => {
      const { server, api, scope } = await fixture()
      await using _ = scope
      await using all = await watching(api)
      const random = createRandom(seed)
      for (let step = 0; step < 300; step++) {
        const path = `${COLLECTION}/c${random.between(1, 20)}`
        if (random.chance(0.3)) server.remove(path)
        else server.put(path, configMap(path.slice(COLLECTION.length + 1), { step: String(step) }))
        if (random.chance(0.1)) server.disturb(random.pick(DISTURBANCES))
        if (random.chance(0.05))
          server.failNext(random.pick([{ kind: 'reset' }, { kind: 'status', status: 500 }] as const), /GET/)
        if (random.chance(0.03)) server.compact()
        await systemClock.sleep(random.between(0, 6))
      }
      await untilTrue('the same objects', async () => isCurrent(all, server), SOON)
    },
  )
})

describe('on a real API server', () => {
  const apiServer = shareApiServer()

  test('changes are seen, also those made while nothing watched', async ({ skip }) => {
    const { kubeconfig } = apiServer(skip)
    using connection = createKubeConnection({ clock: systemClock, kubeconfig })
    const api = createKubeApi(connection)
    const signal = AbortSignal.timeout(60_000)
    await api.create(CONFIG_MAPS, configMap('first'), signal)
    await using all = await watching(api, { silenceMs: 6_000, labelSelector: 'app!=other' })
    await api.apply(CONFIG_MAPS, configMap('second', { a: '1' }), signal)
    await api.apply(CONFIG_MAPS, configMap('second', { a: '2' }), signal)
    await api.delete(CONFIG_MAPS, { namespace: 'default', name: 'first' }, signal)
    const areSeen = async (): Promise<boolean> =>
      !all.told.has('default/first') && JSON.stringify(all.told.get('default/second')?.['data']) === '{"a":"2"}'
    await untilTrue('both changes', areSeen, SOON)
    const listed = await api.list(CONFIG_MAPS, { namespace: 'default', labelSelector: 'app!=other' }, signal)
    expect(versions(all.informer.all())).toEqual(versions(listed.items))
  })

  test('a version that is too old leads to a list', async ({ skip }) => {
    const { kubeconfig } = apiServer(skip)
    using connection = createKubeConnection({ clock: systemClock, kubeconfig })
    const api = createKubeApi(connection)
    const patched = createKubeApi(connection)
    let old = true
    patched.watch = (resource, options, signal) => {
      const resourceVersion = old ? '1' : options.resourceVersion
      old = false
      return api.watch(resource, { ...options, resourceVersion }, signal)
    }
    await using all = await watching(patched, { silenceMs: 6_000 })
    await api.apply(CONFIG_MAPS, configMap('later'), AbortSignal.timeout(60_000))
    await untilTrue('the object', async () => all.told.has('default/later'), SOON)
  })
})
