/** Calls of the Kubernetes API on objects as plain JSON. Known kinds are not modelled: a model would drop new fields. */
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type ErrorCode, IngotError } from '../../errors/error.ts'
import type { KubeConnection, KubeRequest, KubeResponse } from './connection.ts'
import {
  apiVersionOf,
  isKubeObject,
  jsonOf,
  type KubeObject,
  type Location,
  pathOf,
  type Resource,
} from './resource.ts'
import { readWatch, type WatchEvent } from './watch-stream.ts'

/** The one field manager of ingot in server-side apply. */
export const FIELD_MANAGER = 'ingot-operator'

export interface KubeList {
  readonly items: readonly KubeObject[]
  /** Version to watch from. */
  readonly resourceVersion: string
}

export interface Selection {
  /** Default: all namespaces. */
  readonly namespace?: string | undefined
  /** Default: every object. */
  readonly labelSelector?: string | undefined
}

export interface WatchOptions extends Selection {
  readonly resourceVersion: string
  /** The server ends the watch after so long, in seconds. */
  readonly timeoutSeconds: number
  /** Default: every object. */
  readonly fieldSelector?: string | undefined
}

/** Rejects with a code KUBE_*, and with the signal's reason. `facts.retryAfterMs` is set when the server gave a time. */
export interface KubeApi {
  readonly connection: KubeConnection
  /** Reads all pages. Starts over when the list changes under it (410). */
  list(resource: Resource, selection: Selection, signal: AbortSignal): Promise<KubeList>
  /** Resolves with undefined when there is no such object. */
  get(resource: Resource, at: Location, signal: AbortSignal): Promise<KubeObject | undefined>
  /** Yields events until the server ends the watch; rejects when the connection breaks. */
  watch(resource: Resource, options: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent>
  /** Rejects with KUBE_CONFLICT when the name is taken. */
  create(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject>
  /** Replaces the version that the object names. Rejects with KUBE_CONFLICT when another one is current. */
  replace(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject>
  /** Server-side apply by `FIELD_MANAGER`, which takes over the fields that the object names. */
  apply(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject>
  /** Server-side apply on the subresource `status`. */
  applyStatus(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject>
  /** JSON merge patch (RFC 7386). */
  patch(resource: Resource, at: Location, patch: unknown, signal: AbortSignal): Promise<KubeObject>
  /** JSON merge patch on the subresource `status`. A `resourceVersion` in it makes the write conditional (KUBE_CONFLICT). */
  patchStatus(resource: Resource, at: Location, patch: unknown, signal: AbortSignal): Promise<KubeObject>
  /**
   * Resolves when the server has accepted the deletion, also of an object that does not exist. `foreground` keeps the
   * object until the objects that it owns are gone.
   */
  delete(resource: Resource, at: Location, signal: AbortSignal, how?: 'foreground'): Promise<void>
}

const STATUS = Type.Object({ message: Type.String() })
/** client-go's default. */
const PAGE = 500
/** Listings that the server ends by 410 before the list gives up. */
const LIST_ATTEMPTS = 3

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'KUBE_INVALID',
  401: 'KUBE_UNAUTHORIZED',
  403: 'KUBE_FORBIDDEN',
  404: 'KUBE_NOT_FOUND',
  409: 'KUBE_CONFLICT',
  410: 'KUBE_EXPIRED',
  422: 'KUBE_INVALID',
}

/** Returns the error for a status of the API: its HTTP status, its message, and when to try again. */
export function apiError(status: number, message: string, retryAfterMs?: number): IngotError {
  const code = CODES[status] ?? 'KUBE_UNAVAILABLE'
  return new IngotError(code, message, { facts: { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } })
}

export function createKubeApi(connection: KubeConnection): KubeApi {
  return new JsonApi(connection)
}

class JsonApi implements KubeApi {
  readonly connection: KubeConnection

  constructor(connection: KubeConnection) {
    this.connection = connection
  }

  async list(resource: Resource, selection: Selection, signal: AbortSignal): Promise<KubeList> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#pages(resource, selection, signal)
      } catch (failure) {
        if (!isKubeError(failure, 'KUBE_EXPIRED') || attempt === LIST_ATTEMPTS) throw failure
      }
    }
  }

  async get(resource: Resource, at: Location, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#call({ method: 'GET', path: pathOf(resource, at), signal })
    } catch (failure) {
      if (isKubeError(failure, 'KUBE_NOT_FOUND')) return undefined
      throw failure
    }
  }

  async *watch(resource: Resource, options: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const { resourceVersion, timeoutSeconds, labelSelector, fieldSelector } = options
    const query = queryOf({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
      labelSelector,
      fieldSelector,
    })
    const path = `${pathOf(resource, { namespace: options.namespace })}${query}`
    const request = { method: 'GET', path, signal } as const
    const { chunks, ...head } = await this.connection.open(request)
    if (head.status >= 300) throw refusal(request, { ...head, body: await textOf(chunks) })
    yield* readWatch(chunks)
  }

  create(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    const path = pathOf(resource, { namespace: object.metadata.namespace })
    return this.#call({ method: 'POST', path, body: typed(resource, object), signal })
  }

  replace(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    const { namespace, name } = object.metadata
    const path = pathOf(resource, { namespace, name })
    return this.#call({ method: 'PUT', path, body: typed(resource, object), signal })
  }

  apply(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    return this.#apply(resource, object, { signal })
  }

  applyStatus(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    return this.#apply(resource, object, { signal, subresource: 'status' })
  }

  patch(resource: Resource, at: Location, patch: unknown, signal: AbortSignal): Promise<KubeObject> {
    const path = `${pathOf(resource, at)}${queryOf({ fieldManager: FIELD_MANAGER })}`
    return this.#call({ method: 'PATCH', path, body: patch, signal, contentType: 'application/merge-patch+json' })
  }

  patchStatus(resource: Resource, at: Location, patch: unknown, signal: AbortSignal): Promise<KubeObject> {
    return this.patch(resource, { ...at, subresource: 'status' }, patch, signal)
  }

  async delete(resource: Resource, at: Location, signal: AbortSignal, how?: 'foreground'): Promise<void> {
    const query = queryOf({ propagationPolicy: how === undefined ? undefined : 'Foreground' })
    const request = { method: 'DELETE', path: `${pathOf(resource, at)}${query}`, signal } as const
    const response = await this.connection.send(request)
    if (response.status >= 300 && response.status !== 404) throw refusal(request, response)
  }

  #apply(
    resource: Resource,
    object: KubeObject,
    { signal, subresource }: { readonly signal: AbortSignal; readonly subresource?: string },
  ): Promise<KubeObject> {
    const { namespace, name } = object.metadata
    const query = queryOf({ fieldManager: FIELD_MANAGER, force: 'true' })
    const path = `${pathOf(resource, { namespace, name, subresource })}${query}`
    const contentType = 'application/apply-patch+yaml'
    return this.#call({ method: 'PATCH', path, body: typed(resource, object), signal, contentType })
  }

  async #call(request: KubeRequest): Promise<KubeObject> {
    const response = await this.connection.send(request)
    if (response.status >= 300) throw refusal(request, response)
    return parsed(request, response.body)
  }

  async #pages(resource: Resource, { namespace, labelSelector }: Selection, signal: AbortSignal): Promise<KubeList> {
    const items: KubeObject[] = []
    let next: string | undefined
    for (;;) {
      const query = queryOf({ limit: String(PAGE), labelSelector, continue: next })
      const page = await this.#call({ method: 'GET', path: `${pathOf(resource, { namespace })}${query}`, signal })
      items.push(...itemsOf(page))
      const { resourceVersion = '', continue: more = '' } = page.metadata
      if (more === '') return { items, resourceVersion }
      next = more
    }
  }
}

/** Returns true for an error of the API with this code. */
export function isKubeError(thrown: unknown, code: ErrorCode): thrown is IngotError {
  return thrown instanceof IngotError && thrown.code === code
}

/** Returns when to try again, in milliseconds, if the server said so. */
export function retryAfterMsOf(thrown: unknown): number | undefined {
  const ms = thrown instanceof IngotError ? thrown.facts['retryAfterMs'] : undefined
  return typeof ms === 'number' ? ms : undefined
}

function typed(resource: Resource, object: KubeObject): KubeObject {
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind }
}

function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value)
  return query.size === 0 ? '' : `?${query.toString()}`
}

function itemsOf(list: KubeObject): readonly KubeObject[] {
  const { items } = list
  if (Array.isArray(items) && items.every(isKubeObject)) return items
  throw apiError(502, 'the API server sent a list without items')
}

function refusal({ method, path }: KubeRequest, { status, body, retryAfterMs }: KubeResponse): IngotError {
  return apiError(status, `${method} ${path.split('?')[0]}: ${status} ${reasonIn(body)}`, retryAfterMs)
}

/** Returns the message of a Status object, else the beginning of the body. */
function reasonIn(body: string): string {
  try {
    const status: unknown = JSON.parse(body)
    return Value.Check(STATUS, status) ? status.message : ''
  } catch {
    return body.slice(0, 200)
  }
}

function parsed({ method, path }: KubeRequest, body: string): KubeObject {
  const object = jsonOf(body)
  if (isKubeObject(object)) return object
  throw new IngotError('KUBE_UNAVAILABLE', `${method} ${path.split('?')[0]}: the response is not an object of the API`)
}

/** An error response is short; what is longer is not read. */
async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) {
    text += Buffer.from(chunk).toString()
    if (text.length > 10_000) break
  }
  return text
}
