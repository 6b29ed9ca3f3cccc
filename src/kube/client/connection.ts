/**
 * HTTP to one API server, with the credentials of a kubeconfig or of the pod's ServiceAccount. client-node reads these
 * and renews tokens. Requests use Node's own client with one kept-alive agent, because client-node makes a new agent,
 * and so a new TLS connection, for each request.
 */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'
import { IngotError, reasonOf } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { createDeadline } from '../../std/deadline.ts'
import { type ExecRequest, type ExecResult, execIn } from './exec.ts'
import { askPod, type PodRequest, type PodResponse } from './forward.ts'

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  readonly path: string
  readonly body?: unknown
  /** Default: application/json. */
  readonly contentType?: string
  readonly signal: AbortSignal
  /** Longest time until the response is complete; of a stream: until its header. Milliseconds. Default: 10000. */
  readonly deadlineMs?: number
}

export interface KubeResponse {
  readonly status: number
  /** From Retry-After, in milliseconds. */
  readonly retryAfterMs?: number
  readonly body: string
}

export interface KubeStream {
  readonly status: number
  readonly retryAfterMs?: number
  /** Ends with the response; rejects when the connection breaks or the signal aborts. */
  readonly chunks: AsyncIterable<Uint8Array>
}

export interface KubeConnection extends Disposable {
  /** Such as `https://10.96.0.1:443`. */
  readonly server: string
  /** The namespace of the context or of the pod. Default: `default`. */
  readonly namespace: string
  /** Rejects with KUBE_UNREACHABLE when there is no complete response in time, and with the signal's reason. */
  send(request: KubeRequest): Promise<KubeResponse>
  /** Resolves at the header of the response. Rejects as `send`. */
  open(request: KubeRequest): Promise<KubeStream>
  /** Runs a command in a container. Rejects with KUBE_UNREACHABLE when its end is not known in time. */
  exec(request: ExecRequest): Promise<ExecResult>
  /** Sends a GET to a port of a pod. Rejects with KUBE_UNREACHABLE, KUBE_FORBIDDEN or KUBE_NOT_FOUND. */
  askPod(request: PodRequest): Promise<PodResponse>
}

export interface ConnectionOptions {
  readonly clock: Clock
  /** Path of a kubeconfig. Default: as kubectl chooses: KUBECONFIG, ~/.kube/config, the pod's ServiceAccount. */
  readonly kubeconfig?: string | undefined
  /** Default: the current one. */
  readonly context?: string | undefined
  /** Connections at most; a watch keeps one busy. Default: 64. */
  readonly maxConnections?: number
}

const DEADLINE_MS = 10_000
/** A list page has at most 500 objects of at most 1.5 MiB (etcd's limit); real ones are a thousand times smaller. */
const MAX_BODY_BYTES = 128 * 1024 * 1024
const MAX_CONNECTIONS = 64

/** Throws KUBE_CONFIG_INVALID when there is no cluster to connect to. */
export function createKubeConnection(options: ConnectionOptions): KubeConnection {
  return new HttpConnection(loadConfig(options), options)
}

class HttpConnection implements KubeConnection {
  readonly server: string
  readonly namespace: string
  readonly #config: KubeConfig
  readonly #clock: Clock
  readonly #agents: Agents

  constructor(config: KubeConfig, { clock, maxConnections = MAX_CONNECTIONS }: ConnectionOptions) {
    const cluster = config.getCurrentCluster()
    if (cluster === null) throw new IngotError('KUBE_CONFIG_INVALID', 'the current context names no cluster')
    this.server = cluster.server.replace(/\/+$/, '')
    this.namespace = config.getContextObject(config.currentContext)?.namespace ?? 'default'
    this.#config = config
    this.#clock = clock
    this.#agents = createAgents(maxConnections, cluster.proxyUrl !== undefined)
  }

  send(request: KubeRequest): Promise<KubeResponse> {
    return this.#within(request, async (signal) => {
      const response = await this.#header(request, signal)
      return { ...statusOf(response), body: await bodyOf(response) }
    })
  }

  exec(request: ExecRequest): Promise<ExecResult> {
    return execIn(this.#config, this.#clock, request)
  }

  askPod(request: PodRequest): Promise<PodResponse> {
    return askPod(this.#config, this.#clock, request)
  }

  async open(request: KubeRequest): Promise<KubeStream> {
    // the deadline ends with the header, the caller's signal ends with the stream
    const abort = new AbortController()
    const forward = (): void => abort.abort(request.signal.reason)
    const settled = (): void => request.signal.removeEventListener('abort', forward)
    request.signal.addEventListener('abort', forward, { once: true })
    try {
      const response = await this.#within(request, async (signal) => {
        const expire = (): void => abort.abort(signal.reason)
        signal.addEventListener('abort', expire, { once: true })
        try {
          return await this.#header(request, abort.signal)
        } finally {
          signal.removeEventListener('abort', expire)
        }
      })
      return { ...statusOf(response), chunks: chunksOf(response, settled) }
    } catch (failure) {
      settled()
      throw failure
    }
  }

  [Symbol.dispose](): void {
    this.#agents.dispose()
  }

  async #header(request: KubeRequest, signal: AbortSignal): Promise<IncomingMessage> {
    // reads certificates and tokens anew: Kubernetes replaces both while a pod runs
    const access: AccessOptions = {}
    await this.#config.applyToHTTPSOptions(access)
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body))
    const url = new URL(`${this.server}${request.path}`)
    // without the length, Node sends the body of a DELETE unframed, and the server reads it as the next request
    const content =
      body === undefined
        ? {}
        : { 'content-type': request.contentType ?? 'application/json', 'content-length': body.length }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const call = (url.protocol === 'http:' ? http : https).request(url, {
      ...access,
      agent: this.#agents.choose(url.protocol, access),
      method: request.method,
      signal,
      headers: { ...access.headers, accept: 'application/json', 'user-agent': 'ingot', ...content },
    })
    call.once('response', resolve)
    call.once('error', reject)
    call.end(body)
    return promise
  }

  async #within<T>(request: KubeRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ms = request.deadlineMs ?? DEADLINE_MS
    const what = `${request.method} ${this.server}${request.path.split('?')[0]}`
    const timeoutError = (): Error => new IngotError('KUBE_UNREACHABLE', `${what}: no response within ${ms} ms`)
    using deadline = createDeadline({ clock: this.#clock, ms, parent: request.signal, timeoutError })
    try {
      return await work(deadline.signal)
    } catch (cause) {
      deadline.signal.throwIfAborted()
      throw new IngotError('KUBE_UNREACHABLE', `${what}: ${reasonOf(cause)}`, { cause })
    }
  }
}

/** What client-node knows of the credentials of a request. */
type AccessOptions = Omit<https.RequestOptions, 'headers'> & { headers?: Record<string, string> }

function loadConfig({ kubeconfig, context }: ConnectionOptions): KubeConfig {
  const config = new KubeConfig()
  try {
    if (kubeconfig === undefined) config.loadFromDefault()
    else config.loadFromFile(kubeconfig)
  } catch (cause) {
    throw new IngotError('KUBE_CONFIG_INVALID', `the kubeconfig cannot be read: ${reasonOf(cause)}`, { cause })
  }
  if (context !== undefined) config.setCurrentContext(context)
  return config
}

interface Agents {
  /** Returns the agent for these credentials. A new one replaces it when certificates change. */
  choose(protocol: string, access: https.RequestOptions): http.Agent
  dispose(): void
}

function createAgents(maxSockets: number, isProxied: boolean): Agents {
  const settings = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets, maxFreeSockets: 4 }
  let current: { readonly identity: string; readonly agent: http.Agent } | undefined
  return {
    choose(protocol, access) {
      // client-node keeps one agent for a proxy
      if (isProxied && access.agent instanceof http.Agent) return access.agent
      const tls = tlsOf(access)
      const identity = Object.values(tls).map(String).join('\n')
      if (current?.identity === identity) return current.agent
      // requests under way end on the agent before
      const agent = protocol === 'http:' ? new http.Agent(settings) : new https.Agent({ ...settings, ...tls })
      current = { identity, agent }
      return agent
    },
    dispose: () => current?.agent.destroy(),
  }
}

function tlsOf({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }: https.RequestOptions): object {
  const all = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

function statusOf({ statusCode = 0, headers }: IncomingMessage): {
  readonly status: number
  readonly retryAfterMs?: number
} {
  const seconds = Number(headers['retry-after'])
  return Number.isFinite(seconds) && seconds >= 0
    ? { status: statusCode, retryAfterMs: seconds * 1_000 }
    : { status: statusCode }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of bytesOf(response)) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new Error(`the response is longer than ${MAX_BODY_BYTES} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts, bytes).toString()
}

async function* chunksOf(response: IncomingMessage, ended: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* bytesOf(response)
  } finally {
    ended()
    response.destroy()
  }
}

async function* bytesOf(response: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of response) if (chunk instanceof Uint8Array) yield chunk
}
