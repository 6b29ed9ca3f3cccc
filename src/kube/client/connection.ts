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
  const config = loadConfig(options)
  const cluster = config.getCurrentCluster()
  if (cluster === null)
    throw new IngotError('KUBE_CONFIG_INVALID', 'the current context of the kubeconfig names no cluster')
  const server = new URL(cluster.server)
  const agents = createAgents(options.maxConnections ?? MAX_CONNECTIONS, cluster.proxyUrl !== undefined)
  const { clock } = options

  async function header(request: KubeRequest, signal: AbortSignal): Promise<IncomingMessage> {
    // reads certificates and tokens anew: Kubernetes replaces both while a pod runs
    const access: https.RequestOptions = {}
    await config.applyToHTTPSOptions(access)
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body))
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const call = (server.protocol === 'http:' ? http : https).request(new URL(request.path, server), {
      ...access,
      agent: agents(server.protocol, access),
      method: request.method,
      signal,
      headers: {
        ...access.headers,
        accept: 'application/json',
        'user-agent': 'ingot',
        ...(body === undefined
          ? {}
          : { 'content-type': request.contentType ?? 'application/json', 'content-length': body.length }),
      },
    })
    call.once('response', resolve)
    call.once('error', reject)
    call.end(body)
    return promise
  }

  async function within<T>(request: KubeRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ms = request.deadlineMs ?? DEADLINE_MS
    const what = `${request.method} ${server.origin}${request.path.split('?')[0]}`
    const timeoutError = (): Error => new IngotError('KUBE_UNREACHABLE', `${what}: no response within ${ms} ms`)
    using deadline = createDeadline({ clock, ms, parent: request.signal, timeoutError })
    try {
      return await work(deadline.signal)
    } catch (cause) {
      request.signal.throwIfAborted()
      deadline.signal.throwIfAborted()
      if (cause instanceof IngotError) throw cause
      throw new IngotError('KUBE_UNREACHABLE', `${what}: ${reasonOf(cause)}`, { cause })
    }
  }

  return {
    server: server.origin,
    namespace: config.getContextObject(config.currentContext)?.namespace ?? 'default',
    send: (request) =>
      within(request, async (signal) => {
        const response = await header(request, signal)
        return { ...statusOf(response), body: await bodyOf(response) }
      }),
    async open(request) {
      // the deadline ends with the header, the caller's signal does not
      const abort = new AbortController()
      const forward = (): void => abort.abort(request.signal.reason)
      request.signal.addEventListener('abort', forward, { once: true })
      try {
        const response = await within(request, async (signal) => {
          const end = (): void => abort.abort(signal.reason)
          signal.addEventListener('abort', end, { once: true })
          try {
            return await header(request, abort.signal)
          } finally {
            signal.removeEventListener('abort', end)
          }
        })
        return {
          ...statusOf(response),
          chunks: chunksOf(response, () => request.signal.removeEventListener('abort', forward)),
        }
      } catch (failure) {
        request.signal.removeEventListener('abort', forward)
        throw failure
      }
    },
    [Symbol.dispose]: agents.dispose,
  }
}

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
  (protocol: string, access: https.RequestOptions): http.Agent
  dispose(): void
}

/** Returns the agent for these credentials. A new one replaces it when certificates change. */
function createAgents(maxSockets: number, isProxied: boolean): Agents {
  const settings = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets, maxFreeSockets: 4 }
  let current: { readonly key: string; readonly agent: http.Agent } | undefined
  const choose = (protocol: string, access: https.RequestOptions): http.Agent => {
    // client-node keeps one agent for a proxy
    if (isProxied && access.agent instanceof http.Agent) return access.agent
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = access
    const identity = [ca, cert, key, pfx, passphrase, rejectUnauthorized, servername].map(String).join('\n')
    if (current?.key === identity) return current.agent
    const tls = Object.fromEntries(
      Object.entries({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }).filter(
        ([, value]) => value !== undefined,
      ),
    )
    // requests that run on the agent before end there
    const agent = protocol === 'http:' ? new http.Agent(settings) : new https.Agent({ ...settings, ...tls })
    current = { key: identity, agent }
    return agent
  }
  return Object.assign(choose, { dispose: () => current?.agent.destroy() })
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
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response) {
    const chunk = part as Buffer
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new Error(`the response is longer than ${MAX_BODY_BYTES} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts, bytes).toString()
}

async function* chunksOf(response: IncomingMessage, ended: () => void): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of response) yield part as Buffer
  } finally {
    ended()
    response.destroy()
  }
}
