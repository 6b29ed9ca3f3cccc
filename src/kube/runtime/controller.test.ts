import { expect, test } from 'vitest'
import { silentLog } from '../../telemetry/log.ts'
import { createMetrics } from '../../telemetry/metrics.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { type KubeObject, keyOf } from '../client/resource.ts'
import { connectSources, runController, sourceOf } from './controller.ts'
import type { ChangeListener, Informer } from './informer.ts'
import { createRuntimeMeasures } from './measures.ts'
import { createWorkQueue } from './work-queue.ts'

/** An informer whose cache a test fills. */
function createCache() {
  const cache = new Map<string, KubeObject>()
  const listeners: ChangeListener<KubeObject>[] = []
  const first = Promise.withResolvers<void>()
  const informer: Informer<KubeObject> = {
    synced: first.promise,
    get: (key) => cache.get(key),
    all: () => [...cache.values()],
    onChange: (listener) => void listeners.push(listener),
    staleMs: () => 0,
    run: () => Promise.resolve(),
  }
  const put = (object: KubeObject): void => {
    const before = cache.get(keyOf(object))
    cache.set(keyOf(object), object)
    for (const listener of listeners) listener(keyOf(object), before, object)
  }
  return { informer, put, sync: () => first.resolve() }
}

const object = (name: string, labels: Readonly<Record<string, string>> = {}): KubeObject => ({
  metadata: { name, namespace: 'shop', labels },
})

test('a controller waits for the first lists, follows changes of what it owns, and resyncs every minute', async () => {
  const clock = createFakeClock()
  const metrics = createMetrics()
  const [primary, owned] = [createCache(), createCache()]
  const seen: string[] = []
  const measures = createRuntimeMeasures(metrics)
  const queue = createWorkQueue({
    name: 'test',
    reconcile: async (key) => void seen.push(key),
    clock,
    random: () => 1,
    log: silentLog,
    measures,
  })
  const keysOf = ({ metadata }: KubeObject): readonly string[] => [`shop/${metadata.labels?.['owner']}`]
  const options = { queue, primary: primary.informer, secondary: [sourceOf(owned.informer, keysOf)], clock }
  connectSources(options)
  const stop = new AbortController()
  const running = runController(options, stop.signal)
  primary.put(object('a'))
  primary.sync()
  await clock.advance(1_000)
  expect(seen).toEqual([])
  owned.sync()
  await clock.advance(1_000)
  expect(seen).toEqual(['shop/a'])
  owned.put(object('pod', { owner: 'b' }))
  // an object that changes its owner concerns both
  owned.put(object('pod', { owner: 'c' }))
  await clock.advance(1_000)
  expect(seen).toEqual(['shop/a', 'shop/b', 'shop/c'])
  await clock.advance(60_000)
  expect(seen.slice(3)).toEqual(['shop/a'])
  stop.abort(new Error('the test ended'))
  await running
  const { body } = await metrics.render()
  expect(body).toContain('ingot_operator_reconcile_seconds_count{controller="test",outcome="done"} 4')
  expect(body).toContain('ingot_operator_leader 0')
})
