/**
 * A cache of one kind of objects, kept current by a list and a watch. Every way in which a watch can end (expiry, error,
 * reset, silence, a slow drip of bytes) leads to another watch or another list, so no change is missed for good.
 */
import { reasonOf, toIngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { type Backoff, fullJitter } from '../../std/retry.ts'
import type { Log } from '../../telemetry/log.ts'
import { apiError, isKubeError, type KubeApi, retryAfterMsOf, type Selection } from '../client/api.ts'
import { apiVersionOf, type KubeObject, keyOf, type Resource } from '../client/resource.ts'
import type { WatchEvent } from '../client/watch-stream.ts'
import type { RuntimeMeasures } from './measures.ts'

export interface InformerOptions<T extends KubeObject> extends Selection {
  readonly resource: Resource
  /** Returns the part of an object that is worth its memory. Default: the object. */
  readonly keep?: (object: KubeObject) => T
  /** A watch without an event or a bookmark for so long is opened again, in milliseconds. Default: 90000. */
  readonly silenceMs?: number
  /** Pauses after failures, full jitter. Default: 500 ms, doubled up to 30000 ms. */
  readonly backoff?: Backoff
}

export interface InformerDeps {
  readonly api: KubeApi
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly measures: RuntimeMeasures
}

/** `before` is undefined for a new object, `after` for a deleted one. */
export type ChangeListener<T> = (key: string, before: T | undefined, after: T | undefined) => void

export interface Informer<T extends KubeObject> {
  /** Resolves at the end of the first list. */
  readonly synced: Promise<void>
  get(key: string): T | undefined
  all(): readonly T[]
  /** Calls back after each change of the cache. A listener must not throw. */
  onChange(listener: ChangeListener<T>): void
  /** Milliseconds since the API server last sent a list, an event or a bookmark. */
  staleMs(): number
  /** Lists and watches until the signal aborts, then resolves. To be called once. */
  run(signal: AbortSignal): Promise<void>
}

/** The API server sends a bookmark about once a minute. */
const SILENCE_MS = 90_000
/** The server ends a watch between these times, so that the watches of many clients do not end together. */
const WATCH_SECONDS = [240, 480] as const
const BACKOFF: Backoff = { baseMs: 500, maxMs: 30_000 }
/** A watch that lived so long, or delivered anything, ends a series of failures. */
const STEADY_MS = 5_000

/** Why a watch ended. `expired` and `failed` need a list; `ended` goes on from the last version. */
type WatchEnd =
  | { readonly kind: 'ended' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'failed'; readonly cause: unknown }

export function createInformer<T extends KubeObject = KubeObject>(
  options: InformerOptions<T>,
  deps: InformerDeps,
): Informer<T> {
  const { resource, silenceMs = SILENCE_MS, backoff = BACKOFF } = options
  const { api, clock, random, log, measures } = deps
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- T is KubeObject where no `keep` narrows it
  const keep = options.keep ?? ((object: KubeObject) => object as T)
  const name = `${apiVersionOf(resource)}/${resource.plural}`
  const selection: Selection = { namespace: options.namespace, labelSelector: options.labelSelector }
  let cache = new Map<string, T>()
  const listeners: ChangeListener<T>[] = []
  const first = Promise.withResolvers<void>()
  let heardMs = clock.monotonicMs()
  let version = ''
  let delays = fullJitter(backoff, random)
  let failures = 0

  const heard = (): void => void (heardMs = clock.monotonicMs())
  const tell: ChangeListener<T> = (key, before, after) => {
    for (const listener of listeners) listener(key, before, after)
  }
  const recovered = (): void => {
    if (failures > 0) log.info({ resource: name, failures }, 'list and watch work again')
    failures = 0
    delays = fullJitter(backoff, random)
  }

  async function relist(signal: AbortSignal): Promise<void> {
    const { items, resourceVersion } = await api.list(resource, selection, signal)
    const before = cache
    cache = new Map(items.map((item) => [keyOf(item), keep(item)]))
    version = resourceVersion
    heard()
    measures.relisted(name)
    for (const [key, object] of cache) {
      const known = before.get(key)
      if (known?.metadata.resourceVersion !== object.metadata.resourceVersion) tell(key, known, object)
    }
    for (const [key, object] of before) if (!cache.has(key)) tell(key, object, undefined)
    first.resolve()
  }

  /** Returns false for an event that is out of order: the cache can then be trusted only after a list. */
  function take({ type, object }: Exclude<WatchEvent, { type: 'ERROR' }>): boolean {
    const next = object.metadata.resourceVersion ?? ''
    if (isOlder(next, version)) return false
    version = next
    if (type === 'BOOKMARK') return true
    const key = keyOf(object)
    const before = cache.get(key)
    if (type === 'DELETED') {
      if (cache.delete(key)) tell(key, before, undefined)
      return true
    }
    const after = keep(object)
    cache.set(key, after)
    if (before?.metadata.resourceVersion !== next) tell(key, before, after)
    return true
  }

  async function watchOnce(signal: AbortSignal): Promise<WatchEnd> {
    const [low, high] = WATCH_SECONDS
    const timeoutSeconds = Math.round(low + random() * (high - low))
    const silence = new AbortController()
    const beganMs = clock.monotonicMs()
    const arm = () => clock.timer(silenceMs, () => silence.abort(new Error(`no event for ${silenceMs} ms`)))
    let timer = arm()
    const watching = AbortSignal.any([signal, silence.signal])
    try {
      for await (const event of api.watch(
        resource,
        { ...selection, resourceVersion: version, timeoutSeconds },
        watching,
      )) {
        timer.cancel()
        timer = arm()
        if (event.type === 'ERROR') return errorEnd(event)
        heard()
        recovered()
        if (!take(event)) return { kind: 'failed', cause: new Error('the watch sent events out of order') }
      }
      if (clock.monotonicMs() - beganMs >= STEADY_MS) recovered()
      else return { kind: 'failed', cause: new Error('the watch ended at once') }
      return { kind: 'ended' }
    } catch (cause) {
      signal.throwIfAborted()
      // what was sent before the silence is in the cache, so the next watch goes on from there
      if (silence.signal.aborted && clock.monotonicMs() - beganMs >= STEADY_MS) return { kind: 'ended' }
      return isKubeError(cause, 'KUBE_EXPIRED') ? { kind: 'expired' } : { kind: 'failed', cause }
    } finally {
      timer.cancel()
    }
  }

  async function pause(cause: unknown, signal: AbortSignal): Promise<void> {
    const { code } = toIngotError(cause)
    failures++
    measures.listWatchFailed(name, code)
    // one line at the first failure, the second, the fourth …
    if (Number.isInteger(Math.log2(failures))) {
      log.warn({ resource: name, code, reason: reasonOf(cause), failures }, 'list or watch failed')
    }
    const next = delays.next()
    await clock.sleep(Math.max(next.done === true ? backoff.maxMs : next.value, retryAfterMsOf(cause) ?? 0), signal)
  }

  async function listAndWatch(signal: AbortSignal): Promise<void> {
    await relist(signal)
    for (;;) {
      const end = await watchOnce(signal)
      if (end.kind === 'ended') continue
      if (end.kind === 'expired') throw new Error('the watch expired (410)')
      throw end.cause
    }
  }

  measures.informer(name, () => clock.monotonicMs() - heardMs)
  return {
    synced: first.promise,
    get: (key) => cache.get(key),
    all: () => [...cache.values()],
    onChange: (listener) => void listeners.push(listener),
    staleMs: () => clock.monotonicMs() - heardMs,
    async run(signal) {
      while (!signal.aborted) {
        try {
          await listAndWatch(signal)
        } catch (cause) {
          if (signal.aborted) return
          await pause(cause, signal).catch(() => undefined)
        }
      }
    },
  }
}

function errorEnd({ status, message, retryAfterMs }: Extract<WatchEvent, { type: 'ERROR' }>): WatchEnd {
  if (status === 410) return { kind: 'expired' }
  return { kind: 'failed', cause: apiError(status, `the watch ended: ${message}`, retryAfterMs) }
}

const DECIMAL = /^\d+$/

/** Versions of one kind of resources are ordered decimal numbers (KEP-5504). Other versions are not compared. */
function isOlder(version: string, than: string): boolean {
  if (!DECIMAL.test(version) || !DECIMAL.test(than)) return false
  return version.length === than.length ? version < than : version.length < than.length
}
