/** HTTP to a port of a pod through the API server, as with `kubectl port-forward`. */
import http, { type IncomingMessage } from 'node:http'
import { Duplex, PassThrough } from 'node:stream'
import { type KubeConfig, PortForward } from '@kubernetes/client-node'
import { IngotError, reasonOf } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { createDeadline } from '../../std/deadline.ts'
import { isSocket, refusal, type Socket } from './web-socket.ts'

export interface PodRequest {
  readonly namespace: string
  readonly pod: string
  readonly port: number
  /** With its query. */
  readonly path: string
  /** Sent unchanged. The pod proxy of the API server would remove `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Longest time until the response is complete, in milliseconds. Default: 10000. */
  readonly deadlineMs?: number
}

export interface PodResponse {
  readonly status: number
  readonly body: string
}

const DEADLINE_MS = 10_000
const MAX_BODY_BYTES = 16 * 2 ** 20

/**
 * Resolves with the response to a GET, with whatever status. Rejects with KUBE_UNREACHABLE, KUBE_FORBIDDEN,
 * KUBE_NOT_FOUND or the reason of the signal.
 */
export async function askPod(config: KubeConfig, clock: Clock, request: PodRequest): Promise<PodResponse> {
  const { namespace, pod, port, signal, deadlineMs = DEADLINE_MS } = request
  const where = `port ${port} of ${namespace}/${pod}`
  const timeoutError = (): Error => new IngotError('KUBE_UNREACHABLE', `${where}: no response within ${deadlineMs} ms`)
  using deadline = createDeadline({ clock, ms: deadlineMs, parent: signal, timeoutError })
  let tunnel: Tunnel | undefined
  try {
    tunnel = await openTunnel(config, request, where, deadline.signal)
    return await exchange(tunnel, request, deadline.signal)
  } catch (cause) {
    deadline.signal.throwIfAborted()
    if (cause instanceof IngotError) throw cause
    throw new IngotError('KUBE_UNREACHABLE', `${where}: ${tunnel?.problem() ?? reasonOf(cause)}`, { cause })
  } finally {
    tunnel?.close()
  }
}

interface Tunnel {
  readonly stream: Duplex
  /** The message of the node if it cannot connect to the port. */
  problem(): string | undefined
  close(): void
}

async function openTunnel(
  config: KubeConfig,
  request: PodRequest,
  where: string,
  signal: AbortSignal,
): Promise<Tunnel> {
  const { namespace, pod, port } = request
  const [received, sent, problems] = [new PassThrough(), new PassThrough(), new PassThrough()]
  let problem = ''
  problems.setEncoding('utf8').on('data', (text: string) => {
    problem += text
    received.destroy(new Error(problem.trim()))
  })
  const stream = Duplex.from({ readable: received, writable: sent })
  // the request reports the failure of its connection
  stream.on('error', () => {})
  const opened: Promise<unknown> = new PortForward(config).portForward(namespace, pod, [port], received, problems, sent)
  const socket = await opened.catch((cause: unknown) => {
    throw refusal(where, cause)
  })
  if (!isSocket(socket)) throw new TypeError('client-node returned no WebSocket')
  const close = (): void => closeAll(socket, stream)
  socket.addEventListener('close', () => received.end())
  if (signal.aborted) close()
  return { stream, problem: () => problem.trim() || undefined, close }
}

function closeAll(socket: Socket, stream: Duplex): void {
  stream.destroy()
  socket.close()
}

async function exchange({ stream }: Tunnel, request: PodRequest, signal: AbortSignal): Promise<PodResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<PodResponse>()
  const { path, port, headers } = request
  const call = http.request({
    createConnection: () => stream,
    path,
    signal,
    headers: { host: `localhost:${port}`, connection: 'close', ...headers },
  })
  call.once('error', reject)
  call.once('response', (response) => void textOf(response).then(resolve, reject))
  call.end()
  return promise
}

async function textOf(response: IncomingMessage): Promise<PodResponse> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) throw new Error(`the response is longer than ${MAX_BODY_BYTES} bytes`)
    parts.push(part)
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }
}
