/** Calls kubectl with a fixed context and namespace, so that no call can reach another cluster. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { type CallOptions, createProgram, type Program } from '../std/run-program.ts'

export interface Kubectl {
  readonly context: string
  readonly namespace: string
  readonly run: Program
  /** Reads JSON and checks it against the schema. Members that the schema does not name are removed. */
  read<T extends TSchema>(schema: T, args: readonly string[], options: CallOptions): Promise<Static<T>>
  /** Creates or changes objects. */
  apply(objects: readonly object[], options: CallOptions): Promise<void>
  /** Runs a command in a container; `at` is `POD` or `POD/CONTAINER`. Resolves with its standard output. */
  exec(at: string, command: readonly string[], options: CallOptions): Promise<string>
  /** Forwards a free port of this machine to a port of a pod or Service, until it is disposed of. */
  forward(to: string, port: number, signal: AbortSignal): Promise<Forward>
}

export interface Forward extends Disposable {
  readonly port: number
}

const REMEDY = 'install kubectl, and put it on the PATH'
const FORWARD_MS = 20_000

/** Resolves with the context that kubectl uses by default. */
export async function currentContext(signal: AbortSignal): Promise<string> {
  const kubectl = createProgram('kubectl', REMEDY)
  return (await kubectl(['config', 'current-context'], { signal })).trim()
}

export function createKubectl(context: string, namespace: string): Kubectl {
  const first = ['--context', context, '--namespace', namespace]
  const run = createProgram('kubectl', REMEDY, first)
  return {
    context,
    namespace,
    run,
    async read(schema, args, options) {
      const text = await run([...args, '--output', 'json'], options)
      const value: unknown = Value.Clean(schema, JSON.parse(text))
      if (Value.Check(schema, value)) return value
      const [error] = Value.Errors(schema, value)
      throw new Error(
        `"kubectl ${args.join(' ')}" returned an unexpected object: ${error?.instancePath} ${error?.message}`,
      )
    },
    async apply(objects, options) {
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
      await run(['apply', '--filename', '-'], { ...options, input })
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
