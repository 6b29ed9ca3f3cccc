/**
 * Items in a system that is not ours: any HTTP API that can find an item and save one. What it takes to call it is
 * configuration (mapping.ts). It cannot refuse duplicates; locked-store.ts stands in front of it.
 */
import { durationOf } from '../../std/duration.ts'
import { Fault } from '../../std/fault.ts'
import type { ItemId, PreparedItem, StoredItem } from '../item.ts'
import type { Look, PlainStore, Save, Under } from '../plain-store.ts'
import { fill, fillValue, type Mapping } from './mapping.ts'

/** Longest answer that is read, bytes. */
const MAX_ANSWER_BYTES = 16 * 1_024 * 1_024

export interface HttpStoreOptions {
  /** `http://host:port/base`; the mapping's addresses are relative to it. */
  readonly url: string
  readonly mapping: Mapping
}

interface Call {
  readonly method: string
  readonly url: string
  readonly body?: string
  readonly fence?: bigint | undefined
  readonly signal?: AbortSignal
}

interface Answer {
  readonly status: number
  readonly media: string
  readonly body: Buffer
}

export function createHttpStore(options: HttpStoreOptions): PlainStore {
  return new HttpStore(options)
}

class HttpStore implements PlainStore {
  readonly fences: boolean
  readonly #options: HttpStoreOptions
  readonly #timeoutMs: number

  constructor(options: HttpStoreOptions) {
    this.#options = options
    this.fences = options.mapping.fencing
    this.#timeoutMs = durationOf(options.mapping.timeout)
  }

  async find(item: PreparedItem, under: Under): Promise<Look> {
    const { find, stale } = this.#options.mapping
    const url = fill(find.url, places(item, under.collection.name), encodeURIComponent)
    const answer = await this.#call({ method: 'GET', url, fence: under.fence, signal: under.signal })
    if (stale.includes(answer.status) && under.fence !== undefined) return { kind: 'stale' }
    if (find.absent.includes(answer.status)) return { kind: 'absent' }
    if (!find.found.includes(answer.status)) throw unexpected('find', answer)
    return { kind: 'found', firstSeenMs: firstSeen(answer, find.firstSeen) ?? Date.now() }
  }

  async save(item: PreparedItem, under: Under, nowMs: number): Promise<Save> {
    const { save, stale } = this.#options.mapping
    const filled = places(item, under.collection.name)
    const answer = await this.#call({
      method: save.method,
      url: fill(save.url, filled, encodeURIComponent),
      body: fillValue(save.body, filled),
      fence: under.fence,
      signal: under.signal,
    })
    if (stale.includes(answer.status) && under.fence !== undefined) return { kind: 'stale' }
    if (!save.saved.includes(answer.status)) throw unexpected('save', answer)
    return { kind: 'saved', firstSeenMs: firstSeen(answer, save.firstSeen) ?? nowMs }
  }

  async get(collection: string, id: ItemId): Promise<StoredItem | undefined> {
    const { get } = this.#options.mapping
    if (get === undefined) throw new Fault('UNSUPPORTED', 'the mapping of this store has no "get"')
    const url = fill(get.url, { collection, id, digest: digestOf(id) }, encodeURIComponent)
    const answer = await this.#call({ method: 'GET', url })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw unexpected('get', answer)
    return { id, media: answer.media, content: answer.body, firstSeenMs: 0 }
  }

  async check(): Promise<void> {
    const { health } = this.#options.mapping
    if (health === undefined) return
    const answer = await this.#call({ method: 'GET', url: health.url })
    if (answer.status >= 400) throw unexpected('health', answer)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #call(call: Call): Promise<Answer> {
    const deadline = AbortSignal.timeout(this.#timeoutMs)
    const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal])
    try {
      const response = await fetch(new URL(call.url.replace(/^\//, ''), baseOf(this.#options.url)), {
        method: call.method,
        headers: this.#headers(call),
        ...(call.body === undefined ? {} : { body: call.body }),
        redirect: 'error',
        signal,
      })
      return {
        status: response.status,
        media: response.headers.get('content-type') ?? '',
        body: await readBody(response),
      }
    } catch (cause) {
      if (cause instanceof Fault) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new Fault('STORE_UNAVAILABLE', `the http store did not answer as it should: ${why}`, { cause })
    }
  }

  #headers(call: Call): Record<string, string> {
    const json = call.body === undefined ? {} : { 'content-type': 'application/json' }
    const fence = call.fence === undefined ? {} : { 'fencing-token': String(call.fence) }
    return { ...this.#options.mapping.headers, ...json, ...fence }
  }
}

function baseOf(url: string): string {
  return url.endsWith('/') ? url : `${url}/`
}

async function readBody(response: Response): Promise<Buffer> {
  const body = Buffer.from(await response.arrayBuffer())
  if (body.length <= MAX_ANSWER_BYTES) return body
  throw new Fault('STORE_UNAVAILABLE', `the http store answered more than ${MAX_ANSWER_BYTES} bytes`)
}

function places(item: PreparedItem, collection: string): Record<string, string> {
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

/** A time is a courtesy: undefined when the answer has none where it should. */
function firstSeen(answer: Answer, pointer: string | undefined): number | undefined {
  if (pointer === undefined) return undefined
  const found = valueAt(answer.body, pointer)
  const ms = typeof found === 'number' ? found : Date.parse(String(found))
  return Number.isFinite(ms) ? ms : undefined
}

/** The value at a JSON pointer. This reads what the backend says of an item, never content. */
function valueAt(body: Buffer, pointer: string): unknown {
  try {
    let value: unknown = JSON.parse(body.toString('utf8'))
    for (const name of pointer.split('/').slice(1)) {
      value = Object.entries(Object(value)).find(([member]) => member === unescapeName(name))?.[1]
    }
    return value
  } catch {
    // no JSON, so there is nothing at the pointer
    return undefined
  }
}

function unescapeName(name: string): string {
  return name.replaceAll('~1', '/').replaceAll('~0', '~')
}

function unexpected(what: string, answer: Answer): Fault {
  return new Fault(
    'STORE_UNAVAILABLE',
    `the http store answered ${answer.status} to "${what}", which its mapping does not know`,
  )
}
