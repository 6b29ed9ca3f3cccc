/** Starts the processes of the benchmark. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Name } from './contenders.ts'
import type { Order, Result } from './worker.ts'

export interface Worker extends AsyncDisposable {
  ask<K extends Order['kind']>(order: Extract<Order, { kind: K }>): Promise<Extract<Result, { kind: K }>>
}

async function next(child: ChildProcess): Promise<Result> {
  const [result] = (await once(child, 'message')) as [Result] // the worker sends nothing else
  if (result.kind === 'failed') throw new Error(result.reason)
  return result
}

export async function startWorker(name: Name, ports: readonly number[]): Promise<Worker> {
  const program = fileURLToPath(new URL('worker.ts', import.meta.url))
  const child = fork(program, [name, ports.join(',')], {
    serialization: 'advanced',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await next(child)
  return {
    async ask<K extends Order['kind']>(order: Extract<Order, { kind: K }>) {
      const answered = next(child)
      child.send(order)
      return (await answered) as Extract<Result, { kind: K }> // the result has the kind of the order
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
