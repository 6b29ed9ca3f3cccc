/**
 * A cache of one kind of objects, kept current by a list and a watch. Every way in which a watch can end (expiry, error,
 * reset, silence, a slow drip of bytes) leads to another watch or another list, so no change is missed for good.
 */
import { IngotError, reasonOf, toIngotError } from '../../errors/error.ts'
import type { Clock, Timer } from '../../std/clock.ts'
import { type Backoff, fullJitter } from '../../std/retry.ts'
import type { Log } from '../../telemetry/log.ts'
import { apiError, isKubeError, type KubeApi, retryAfterMsOf, type Selection } from '../client/api.ts'
import { apiVersionOf, type KubeObject, keyOf, type Resource } from '../client/resource.ts'
import type { WatchEvent } from '../client/watch-stream.ts'
import type { RuntimeMeasures } from './measures.ts'
import { isLogged } from './repeats.ts'

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
  return new ListWatch(options, deps)
}

class ListWatch<T extends KubeObject> implements Informer<T> {
  readonly #options: InformerOptions<T>
  readonly #deps: InformerDeps
  readonly #name: string
  readonly #backoff: Backoff
  readonly #listeners: ChangeListener<T>[] = []
  readonly #first = Promise.withResolvers<void>()
  #cache = new Map<string, T>()
  #version = ''
  #heardMs: number
  #delays: Iterator<number>
  #failures = 0

  constructor(options: InformerOptions<T>, deps: InformerDeps) {
    this.#options = options
    this.#deps = deps
    this.#name = `${apiVersionOf(options.resource)}/${options.resource.plural}`
    this.#backoff = options.backoff ?? BACKOFF
    this.#delays = fullJitter(this.#backoff, deps.random)
    this.#heardMs = deps.clock.monotonicMs()
    deps.measures.informer(this.#name, () => this.staleMs())
  }

  get synced(): Promise<void> {
    return this.#first.promise
  }

  get(key: string): T | undefined {
    return this.#cache.get(key)
  }

  all(): readonly T[] {
    return [...this.#cache.values()]
  }

  onChange(listener: ChangeListener<T>): void {
    this.#listeners.push(listener)
  }

  staleMs(): number {
    return this.#deps.clock.monotonicMs() - this.#heardMs
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#listAndWatch(signal)
      } catch (cause) {
        if (signal.aborted) return
        await this.#pause(cause, signal).catch(() => undefined)
      }
    }
  }

  async #listAndWatch(signal: AbortSignal): Promise<void> {
    await this.#list(signal)
    for (;;) {
      const end = await this.#watch(signal)
      if (end.kind === 'ended') continue
      if (end.kind === 'expired') throw new IngotError('KUBE_EXPIRED', 'the version to watch from is gone')
      throw end.cause
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { items, resourceVersion } = await this.#deps.api.list(this.#options.resource, this.#options, signal)
    const before = this.#cache
    this.#cache = new Map(items.map((item) => [keyOf(item), this.#keep(item)]))
    this.#version = resourceVersion
    this.#heardMs = this.#deps.clock.monotonicMs()
    this.#deps.measures.relisted(this.#name)
    for (const [key, object] of this.#cache) {
      const known = before.get(key)
      if (known?.metadata.resourceVersion !== object.metadata.resourceVersion) this.#notify(key, known, object)
    }
    for (const [key, object] of before) if (!this.#cache.has(key)) this.#notify(key, object, undefined)
    this.#first.resolve()
  }

  async #watch(signal: AbortSignal): Promise<WatchEnd> {
    const { clock } = this.#deps
    const beganMs = clock.monotonicMs()
    const isSteady = (): boolean => clock.monotonicMs() - beganMs >= STEADY_MS
    const silence = createSilence(clock, this.#options.silenceMs ?? SILENCE_MS)
    try {
      for await (const event of this.#events(AbortSignal.any([signal, silence.signal]))) {
        silence.heard()
        if (event.type === 'ERROR') return errorEnd(event)
        this.#heardMs = clock.monotonicMs()
        this.#recovered()
        if (!this.#take(event)) return { kind: 'failed', cause: unavailable('the watch sent events out of order') }
      }
      if (!isSteady()) return { kind: 'failed', cause: unavailable('the watch ended at once') }
      this.#recovered()
      return { kind: 'ended' }
    } catch (cause) {
      signal.throwIfAborted()
      // the cache has all that was sent before the silence, so the next watch goes on from there
      if (silence.signal.aborted && isSteady()) return { kind: 'ended' }
      return isKubeError(cause, 'KUBE_EXPIRED') ? { kind: 'expired' } : { kind: 'failed', cause }
    } finally {
      silence.end()
    }
  }

  #events(signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const [low, high] = WATCH_SECONDS
    const timeoutSeconds = Math.round(low + this.#deps.random() * (high - low))
    const { resource, namespace, labelSelector } = this.#options
    const options = { namespace, labelSelector, resourceVersion: this.#version, timeoutSeconds }
    return this.#deps.api.watch(resource, options, signal)
  }

  /** Returns false for an event that is out of order: the cache can then be trusted only after a list. */
  #take({ type, object }: Exclude<WatchEvent, { type: 'ERROR' }>): boolean {
    const next = object.metadata.resourceVersion ?? ''
    if (isOlder(next, this.#version)) return false
    this.#version = next
    if (type === 'BOOKMARK') return true
    const key = keyOf(object)
    const before = this.#cache.get(key)
    if (type === 'DELETED') {
      if (this.#cache.delete(key)) this.#notify(key, before, undefined)
      return true
    }
    const after = this.#keep(object)
    this.#cache.set(key, after)
    if (before?.metadata.resourceVersion !== next) this.#notify(key, before, after)
    return true
  }

  #keep(object: KubeObject): T {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- T is KubeObject where no `keep` narrows it
    return this.#options.keep === undefined ? (object as T) : this.#options.keep(object)
  }

  #notify(key: string, before: T | undefined, after: T | undefined): void {
    for (const listener of this.#listeners) listener(key, before, after)
  }

  #recovered(): void {
    if (this.#failures === 0) return
    this.#deps.log.info({ resource: this.#name, failures: this.#failures }, 'list and watch work again')
    this.#failures = 0
    this.#delays = fullJitter(this.#backoff, this.#deps.random)
  }

  async #pause(cause: unknown, signal: AbortSignal): Promise<void> {
    const { clock, log, measures } = this.#deps
    const { code } = toIngotError(cause)
    this.#failures++
    measures.listWatchFailed(this.#name, code)
    if (isLogged(this.#failures)) {
      const fields = { resource: this.#name, code, reason: reasonOf(cause), failures: this.#failures }
      log.warn(fields, 'list or watch failed')
    }
    const next = this.#delays.next()
    const ms = next.done === true ? this.#backoff.maxMs : next.value
    await clock.sleep(Math.max(ms, retryAfterMsOf(cause) ?? 0), signal)
  }
}

const unavailable = (message: string): IngotError => new IngotError('KUBE_UNAVAILABLE', message)

interface Silence {
  /** Aborts when nothing was heard for too long. */
  readonly signal: AbortSignal
  heard(): void
  end(): void
}

function createSilence(clock: Clock, ms: number): Silence {
  const controller = new AbortController()
  const arm = (): Timer => clock.timer(ms, () => controller.abort(unavailable(`the watch was silent for ${ms} ms`)))
  let timer = arm()
  return {
    signal: controller.signal,
    heard() {
      timer.cancel()
      timer = arm()
    },
    end: () => timer.cancel(),
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
