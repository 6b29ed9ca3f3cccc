/**
 * Stores items in an external system: any HTTP API that can find and save an item. The mapping (mapping.ts) configures
 * the calls. The API cannot refuse duplicates, so locked-store.ts is in front of it.
 */

import { IngotError, reasonOf } from '../../../errors/error.ts'
import { type Clock, systemClock } from '../../../std/clock.ts'
import { durationOf } from '../../../std/duration.ts'
import { isTlsFailure } from '../../../std/tls-failure.ts'
import { traceHeaders } from '../../../telemetry/spans.ts'
import type { CallContext, ExternalStore, Lookup, Save } from '../../exclusion/external-store.ts'
import type { FoundItem, ItemId, PreparedItem } from '../../item.ts'
import { fill, fillValue, type Mapping } from './mapping.ts'
import { createWire, type Wire, type WireResponse } from './wire.ts'

export interface HttpStoreOptions {
  /** `http://host:port/base`. The mapping's addresses are relative to it. */
  readonly url: string
  readonly mapping: Mapping
  /**
   * PEM certificates of the authorities that are trusted for an https server. Default: the authorities that Node
   * trusts.
   */
  readonly ca?: string
  /** Default: the system clock. */
  readonly clock?: Clock
}

interface Call {
  readonly method: string
  readonly url: string
  readonly body?: string
  readonly fence?: bigint | undefined
  readonly signal?: AbortSignal
}

export function createHttpStore(options: HttpStoreOptions): ExternalStore {
  return new HttpStore(options)
}

class HttpStore implements ExternalStore {
  readonly fences: boolean
  readonly get?: (collection: string, id: ItemId) => Promise<FoundItem | undefined>
  readonly #options: HttpStoreOptions
  readonly #wire: Wire
  readonly #base: string
  readonly #clock: Clock

  constructor(options: HttpStoreOptions) {
    const { url, mapping, ca, clock = systemClock } = options
    this.#options = options
    this.#clock = clock
    this.fences = mapping.fencing
    const { get } = mapping
    if (get !== undefined) this.get = (collection, id) => this.#get(get.url, collection, id)
    this.#base = url.endsWith('/') ? url : `${url}/`
    const trust = ca === undefined ? {} : { ca }
    const tls = url.startsWith('https:') ? trust : undefined
    this.#wire = createWire({ tls, timeoutMs: durationOf(mapping.timeout), clock })
  }

  async find(item: PreparedItem, under: CallContext): Promise<Lookup> {
    const { find, stale } = this.#options.mapping
    const url = fill(find.url, placeholders(item, under.collection.name), encodeURIComponent)
    const response = await this.#call({ method: 'GET', url, fence: under.fence, signal: under.signal })
    if (stale.includes(response.status) && under.fence !== undefined) return { kind: 'stale' }
    if (find.absent.includes(response.status)) return { kind: 'absent' }
    if (!find.found.includes(response.status)) throw unexpected('find', response)
    return { kind: 'found', firstSeenMs: firstSeen(response, find.firstSeen) ?? this.#clock.wallMs() }
  }

  async save(item: PreparedItem, under: CallContext, nowMs: number): Promise<Save> {
    const { save, stale } = this.#options.mapping
    const filled = placeholders(item, under.collection.name)
    const response = await this.#call({
      method: save.method,
      url: fill(save.url, filled, encodeURIComponent),
      body: fillValue(save.body, filled),
      fence: under.fence,
      signal: under.signal,
    })
    if (stale.includes(response.status) && under.fence !== undefined) return { kind: 'stale' }
    if (!save.saved.includes(response.status)) throw unexpected('save', response)
    return { kind: 'saved', firstSeenMs: firstSeen(response, save.firstSeen) ?? nowMs }
  }

  async #get(address: string, collection: string, id: ItemId): Promise<FoundItem | undefined> {
    const url = fill(address, { collection, id, digest: digestOf(id) }, encodeURIComponent)
    const response = await this.#call({ method: 'GET', url })
    if (response.status === 404) return undefined
    if (response.status !== 200) throw unexpected('get', response)
    return { id, media: response.media, content: response.body }
  }

  async check(): Promise<void> {
    const { health } = this.#options.mapping
    if (health === undefined) return
    const response = await this.#call({ method: 'GET', url: health.url })
    if (response.status >= 400) throw unexpected('health', response)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wire.close()
  }

  async #call(call: Call): Promise<WireResponse> {
    const { method, body, signal } = call
    try {
      return await this.#wire.exchange({
        method,
        url: new URL(call.url.replace(/^\//, ''), this.#base),
        headers: this.#headers(call),
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (cause) {
      throw callFailed(cause)
    }
  }

  #headers(call: Call): Record<string, string> {
    const json = call.body === undefined ? {} : { 'content-type': 'application/json' }
    const fence = call.fence === undefined ? {} : { 'fencing-token': String(call.fence) }
    return { ...traceHeaders(), ...this.#options.mapping.headers, ...json, ...fence }
  }
}

function placeholders(item: PreparedItem, collection: string): Record<string, string> {
  const content = Buffer.from(item.content.buffer, item.content.byteOffset, item.content.byteLength)
  return {
    collection,
    id: item.id,
    digest: digestOf(item.id),
    media: item.media,
    base64: content.toString('base64'),
    json: item.media === 'application/json' ? content.toString('utf8') : 'null',
  }
}

function digestOf(id: ItemId): string {
  return id.slice(id.indexOf('-') + 1)
}

/**
 * Returns the time at the pointer in milliseconds. Returns `undefined` if the response has none, because the time is
 * optional.
 */
function firstSeen(response: WireResponse, pointer: string | undefined): number | undefined {
  if (pointer === undefined) return undefined
  const found = valueAt(response.body, pointer)
  const ms = typeof found === 'number' ? found : Date.parse(String(found))
  return Number.isFinite(ms) ? ms : undefined
}

/** Returns the value at a JSON pointer. Use it for the backend's metadata, never for content. */
function valueAt(body: Buffer, pointer: string): unknown {
  try {
    let value: unknown = JSON.parse(body.toString('utf8'))
    for (const name of pointer.split('/').slice(1)) {
      value = Object.entries(Object(value)).find(([member]) => member === unescapeName(name))?.[1]
    }
    return value
  } catch {
    // not JSON, so there is nothing at the pointer
    return undefined
  }
}

function unescapeName(name: string): string {
  return name.replaceAll('~1', '/').replaceAll('~0', '~')
}

function callFailed(cause: unknown): IngotError {
  const why = reasonOf(cause)
  const message = isTlsFailure(cause)
    ? `no trusted connection to the http store: ${why}; INGOT_STORE_CA adds your own authorities`
    : `the http store did not respond as expected: ${why}`
  return new IngotError('STORE_UNAVAILABLE', message, { cause })
}

function unexpected(what: string, response: WireResponse): IngotError {
  return new IngotError(
    'STORE_UNAVAILABLE',
    `the http store responded with ${response.status} to "${what}", and its mapping does not list this status`,
  )
}
