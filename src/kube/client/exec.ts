/** Runs commands in containers over a WebSocket of the API server, as `kubectl exec` does. */
import { PassThrough } from 'node:stream'
import { Exec, type KubeConfig } from '@kubernetes/client-node'
import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { createDeadline } from '../../std/deadline.ts'
import { isSocket, refusal, type Socket } from './web-socket.ts'

export interface ExecRequest {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
  readonly signal: AbortSignal
  /** Longest time until the command has ended, in milliseconds. Default: 60000. */
  readonly deadlineMs?: number
}

export interface ExecResult {
  /** Exit code of the command. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const DEADLINE_MS = 60_000
/** Maximum output. A history of a long run fits; endless output is stopped. */
const MAX_BYTES = 512 * 2 ** 20

/** Resolves when the command has ended, with whatever exit code. Rejects with KUBE_UNREACHABLE, KUBE_FORBIDDEN or the reason. */
export async function execIn(config: KubeConfig, clock: Clock, request: ExecRequest): Promise<ExecResult> {
  const { namespace, pod, container, signal, deadlineMs = DEADLINE_MS } = request
  const where = `exec in ${namespace}/${pod} (${container})`
  const timeoutError = (): Error => new IngotError('KUBE_UNREACHABLE', `${where}: no end within ${deadlineMs} ms`)
  using deadline = createDeadline({ clock, ms: deadlineMs, parent: signal, timeoutError })
  return await run(config, request, where, deadline.signal)
}

async function run(config: KubeConfig, request: ExecRequest, where: string, signal: AbortSignal): Promise<ExecResult> {
  const { namespace, pod, container, command } = request
  const { promise, resolve, reject } = Promise.withResolvers<ExecResult>()
  const [stdout, stderr] = [collector(reject), collector(reject)]
  let socket: Socket | undefined
  const abort = (): void => reject(signal.reason)
  signal.throwIfAborted()
  signal.addEventListener('abort', abort, { once: true })
  try {
    const exec = new Exec(config)
    const opened: Promise<unknown> = exec.exec(
      namespace,
      pod,
      container,
      [...command],
      stdout.stream,
      stderr.stream,
      null,
      false,
      (end) => resolve({ code: exitCodeOf(end), stdout: stdout.text(), stderr: stderr.text() }),
    )
    opened.then(
      (one) => {
        if (!isSocket(one)) throw new TypeError('client-node returned no WebSocket')
        socket = one
        if (signal.aborted) one.close()
        // the status arrives before the close; without one, the outcome is unknown
        one.addEventListener('close', () =>
          setImmediate(() => reject(new IngotError('KUBE_UNREACHABLE', `${where}: the connection ended early`))),
        )
      },
      (cause: unknown) => reject(refusal(where, cause)),
    )
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    socket?.close()
  }
}

/** Returns the exit code in a Status: 0 for Success, and 1 if a failure names none. */
function exitCodeOf(end: { status?: string; details?: { causes?: { reason?: string; message?: string }[] } }): number {
  if (end.status === 'Success') return 0
  const code = Number(end.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message)
  return Number.isInteger(code) ? code : 1
}

interface Collector {
  readonly stream: PassThrough
  text(): string
}

function collector(overflow: (failure: Error) => void): Collector {
  const parts: Buffer[] = []
  let bytes = 0
  const stream = new PassThrough()
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_BYTES) overflow(new Error(`the command printed more than ${MAX_BYTES} bytes`))
    else parts.push(chunk)
  })
  return { stream, text: () => Buffer.concat(parts, Math.min(bytes, MAX_BYTES)).toString() }
}
