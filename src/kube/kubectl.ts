/** kubectl on one context and one namespace, and nothing else: a drill must never reach another cluster. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { type CallOptions, createProgram, type Program } from '../std/run-program.ts'

export interface Kubectl {
  readonly context: string
  readonly namespace: string
  readonly run: Program
  /** Reads JSON that must be of this shape; what the shape does not name is left out. */
  read<T extends TSchema>(shape: T, args: readonly string[], options: CallOptions): Promise<Static<T>>
  /** Runs in a container; `at` is `POD` or `POD/CONTAINER`. */
  exec(at: string, command: readonly string[], options: CallOptions): Promise<string>
  /** A port of this machine that leads to one of a pod or Service, until it is disposed of. */
  forward(to: string, port: number, signal: AbortSignal): Promise<Forward>
}

export interface Forward extends Disposable {
  readonly port: number
}

const REMEDY = 'install kubectl, and put it on the PATH'
const FORWARD_MS = 20_000

/** The context that kubectl would use. */
export async function currentContext(signal: AbortSignal): Promise<string> {
  const kubectl = createProgram('kubectl', REMEDY)
  return (await kubectl(['config', 'current-context'], { signal })).trim()
}

/** The name of the kind cluster. Throws for any other cluster: faults belong in one that nobody misses. */
export function kindClusterOf(context: string): string {
  const [, name] = /^kind-(.+)$/.exec(context) ?? []
  if (name !== undefined) return name
  throw new Error(
    `the current context is "${context}"; drills break things, and run on kind alone: kubectl config use-context kind-ingot`,
  )
}

export function createKubectl(context: string, namespace: string): Kubectl {
  kindClusterOf(context)
  const first = ['--context', context, '--namespace', namespace]
  const run = createProgram('kubectl', REMEDY, first)
  return {
    context,
    namespace,
    run,
    async read(shape, args, options) {
      const text = await run([...args, '--output', 'json'], options)
      const value: unknown = Value.Clean(shape, JSON.parse(text))
      if (Value.Check(shape, value)) return value
      const [fault] = Value.Errors(shape, value)
      throw new Error(`"kubectl ${args.join(' ')}" answered another shape: ${fault?.instancePath} ${fault?.message}`)
    },
    exec(at, command, options) {
      const [pod = '', container] = at.split('/')
      const where = container === undefined ? [pod] : [pod, '--container', container]
      return run(['exec', '--stdin', ...where, '--', ...command], options)
    },
    forward: (to, port, signal) => forward([...first, 'port-forward', to, `:${port}`], signal),
  }
}

async function forward(args: readonly string[], signal: AbortSignal): Promise<Forward> {
  const child = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  try {
    const port = await portOf(child, AbortSignal.any([signal, AbortSignal.timeout(FORWARD_MS)]))
    return {
      port,
      [Symbol.dispose]() {
        signal.removeEventListener('abort', stop)
        stop()
      },
    }
  } catch (failure) {
    stop()
    throw failure
  }
}

function portOf(child: ChildProcess, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    const take = (chunk: Buffer): void => {
      text += chunk.toString()
      const [, port] = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(text) ?? []
      if (port !== undefined) resolve(Number(port))
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.once('error', reject)
    child.once('close', () => reject(new Error(`kubectl port-forward ended: ${text.trim()}`)))
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
