/**
 * An API server that misbehaves on demand: lists, watches and writes of any kind, in memory. The contract tests that run
 * on it run on a real API server too.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubeObject } from '../../kube/client/resource.ts'

export type RequestFault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  /** The connection is reset before a response. */
  | { readonly kind: 'reset' }
  /** There is never a response. */
  | { readonly kind: 'hang' }
  /** A response that is not JSON. */
  | { readonly kind: 'garbage' }

export type WatchFault =
  | { readonly kind: 'reset' }
  | { readonly kind: 'end' }
  /** The connection stays open, and nothing more comes. */
  | { readonly kind: 'silence' }
  /** A byte every few milliseconds, which never makes a line. */
  | { readonly kind: 'drip' }
  | { readonly kind: 'error'; readonly status: number; readonly retryAfterSeconds?: number }
  /** Sends the last event once more. */
  | { readonly kind: 'duplicate' }
  /** Sends an event that is older than the last one. */
  | { readonly kind: 'reorder' }
  | { readonly kind: 'garbage' }

export interface FakeApiServer extends AsyncDisposable {
  /** Path of a kubeconfig for it. */
  readonly kubeconfig: string
  /** Applies to the next requests, in order. `match` chooses requests by `METHOD /path?query`. */
  failNext(fault: RequestFault, match?: RegExp): void
  /** Does this to every open watch. */
  disturb(fault: WatchFault): void
  /** Forgets all versions until now: a watch from one of them is refused with 410. */
  compact(): void
  readonly openWatches: number
  /** Requests so far, as `METHOD /path?query`. */
  readonly requests: readonly string[]
  put(path: string, object: KubeObject): KubeObject
  remove(path: string): void
  /** The objects of a collection by name. */
  objects(collection: string): readonly KubeObject[]
}

interface Watch {
  readonly collection: string
  readonly response: ServerResponse
  mode: 'open' | 'silent'
  timer?: NodeJS.Timeout
}

interface LogEntry {
  readonly version: number
  readonly collection: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
}

export async function startFakeApiServer(): Promise<FakeApiServer> {
  const stored = new Map<string, KubeObject>()
  const log: LogEntry[] = []
  const watches = new Set<Watch>()
  const faults: { readonly fault: RequestFault; readonly match: RegExp }[] = []
  const requests: string[] = []
  let version = 100
  let compactedTo = 0

  const inCollection = (collection: string): [string, KubeObject][] =>
    [...stored].filter(
      ([path]) => path.startsWith(`${collection}/`) && !path.slice(collection.length + 1).includes('/'),
    )

  function send(watch: Watch, type: string, object: unknown): void {
    if (watch.mode === 'open') watch.response.write(`${JSON.stringify({ type, object })}\n`)
  }

  function finish(watch: Watch): void {
    watches.delete(watch)
    clearInterval(watch.timer)
    watch.response.end()
  }

  function publish(entry: LogEntry): void {
    log.push(entry)
    for (const watch of watches) if (watch.collection === entry.collection) send(watch, entry.type, entry.object)
  }

  function put(path: string, object: KubeObject): KubeObject {
    const before = stored.get(path)
    version++
    const uid = before?.metadata.uid ?? `uid-${version}`
    const after = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(version) } }
    stored.set(path, after)
    const collection = path.slice(0, path.lastIndexOf('/'))
    publish({ version, collection, type: before === undefined ? 'ADDED' : 'MODIFIED', object: after })
    return after
  }

  function remove(path: string): void {
    const before = stored.get(path)
    if (before === undefined) return
    version++
    stored.delete(path)
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } }
    publish({ version, collection: path.slice(0, path.lastIndexOf('/')), type: 'DELETED', object })
  }

  function openWatch(collection: string, url: URL, response: ServerResponse): void {
    const from = Number(url.searchParams.get('resourceVersion') ?? '0')
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const one: Watch = { collection, response, mode: 'open' }
    if (from < compactedTo) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { code: 410, message: 'too old resource version' } })}\n`)
      return
    }
    watches.add(one)
    response.once('close', () => {
      clearInterval(one.timer)
      watches.delete(one)
    })
    for (const entry of log)
      if (entry.collection === collection && entry.version > from) send(one, entry.type, entry.object)
  }

  function list(collection: string, url: URL, response: ServerResponse): void {
    const all = inCollection(collection).map(([, object]) => object)
    const limit = Number(url.searchParams.get('limit') ?? all.length)
    const from = Number(url.searchParams.get('continue') ?? '0')
    const more = from + limit < all.length ? { continue: String(from + limit) } : {}
    json(response, 200, {
      metadata: { resourceVersion: String(version), ...more },
      items: all.slice(from, from + limit),
    })
  }

  async function write(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    const before = stored.get(path)
    if (request.method === 'POST') {
      const target = `${path}/${body.metadata.name}`
      return stored.has(target) ? refuse(response, 409) : json(response, 201, put(target, body))
    }
    if (before === undefined && request.method !== 'PATCH') return refuse(response, 404)
    const expected = body.metadata?.resourceVersion
    if (request.method === 'PUT' && expected !== undefined && expected !== before?.metadata.resourceVersion) {
      return refuse(response, 409)
    }
    const merged =
      request.method === 'PATCH' ? { ...before, ...body, metadata: { ...before?.metadata, ...body.metadata } } : body
    json(response, 200, put(path, merged))
  }

  function route(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://fake')
    const { pathname } = url
    if (request.method === 'DELETE') {
      remove(pathname)
      return json(response, 200, { metadata: {} })
    }
    if (request.method !== 'GET') return void write(pathname, request, response).catch(() => response.destroy())
    if (url.searchParams.get('watch') === 'true') return openWatch(pathname, url, response)
    const object = stored.get(pathname)
    if (object !== undefined) return json(response, 200, object)
    return isCollection(pathname) ? list(pathname, url, response) : refuse(response, 404)
  }

  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`
    requests.push(line)
    const index = faults.findIndex(({ match }) => match.test(line))
    const [chosen] = index === -1 ? [] : faults.splice(index, 1)
    if (chosen === undefined) return route(request, response)
    const { fault } = chosen
    if (fault.kind === 'reset') return void request.socket.resetAndDestroy()
    if (fault.kind === 'garbage') return void response.end('<html>')
    if (fault.kind === 'status') refuse(response, fault.status, fault.retryAfterSeconds)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const folder = mkdtempSync(join(tmpdir(), 'fake-api-'))
  const kubeconfig = join(folder, 'kubeconfig')
  const { port } = server.address() as AddressInfo
  writeFileSync(kubeconfig, kubeconfigOf(`http://127.0.0.1:${port}`))

  const disturbances: Readonly<Record<WatchFault['kind'], (watch: Watch, fault: WatchFault) => void>> = {
    reset: ({ response }) => response.socket?.resetAndDestroy(),
    end: finish,
    silence: (watch) => void (watch.mode = 'silent'),
    drip: (watch) => {
      watch.mode = 'silent'
      watch.timer = setInterval(() => watch.response.write(' '), 5)
    },
    error: (watch, fault) => {
      if (fault.kind !== 'error') return
      const details = { retryAfterSeconds: fault.retryAfterSeconds }
      send(watch, 'ERROR', { code: fault.status, message: 'a fault of the test', details })
      finish(watch)
    },
    duplicate: (watch) => {
      const last = log.findLast(({ collection }) => collection === watch.collection)
      if (last !== undefined) send(watch, last.type, last.object)
    },
    reorder: (watch) => {
      const [first] = log.filter(({ collection }) => collection === watch.collection)
      if (first !== undefined) send(watch, first.type, first.object)
    },
    garbage: ({ response }) => void response.write('{"type":"MODIFIED","obj\n'),
  }

  return {
    kubeconfig,
    requests,
    failNext: (fault, match = /./) => void faults.push({ fault, match }),
    disturb(fault) {
      for (const one of watches) disturbances[fault.kind](one, fault)
    },
    compact: () => void (compactedTo = ++version),
    get openWatches() {
      return watches.size
    },
    put,
    remove,
    objects: (collection) => inCollection(collection).map(([, object]) => object),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function isCollection(path: string): boolean {
  const parts = path.split('/').slice(path.startsWith('/api/') ? 3 : 4)
  return parts.length === 1 || parts.length === 3
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function refuse(response: ServerResponse, status: number, retryAfterSeconds?: number): void {
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds))
  json(response, status, { kind: 'Status', code: status, message: `refused with ${status}` })
}

async function bodyOf(request: IncomingMessage): Promise<KubeObject> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return JSON.parse(text) as KubeObject
}

function kubeconfigOf(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'fake',
    clusters: [{ name: 'fake', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'fake', user: { token: 'fake-token' } }],
    contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake', namespace: 'default' } }],
  })
}
