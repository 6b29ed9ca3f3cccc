/** The processes of the workload. Each can be stopped, or killed and replaced. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Entry } from '../../../drill/history.ts'
import type { Freezable } from '../../../drill/targets/processes/parts.ts'
import { freezeProcess, proveFrozen, thawProcess } from '../../../drill/targets/processes/process.ts'
import type { Random } from '../../../std/random.ts'
import { forkTestProgram, reap } from '../../locks/processes.ts'
import { within } from '../../service.ts'
import type { WorkerSettings } from './worker-peer.ts'

export interface WorkersOptions extends Omit<WorkerSettings, 'name' | 'workers' | 'seed' | 'reportsRefusals'> {
  readonly processes: number
  readonly workers: number
  readonly random: Random
  readonly record: (entry: Entry) => void
}

/** One of the processes. */
export interface Worker extends Freezable {
  /** Sends SIGKILL. */
  kill(): Promise<void>
  /** Resolves with the evidence that the process is dead. Rejects if it runs. */
  proveKilled(): Promise<string>
  /** Starts a replacement for a process that has ended. Resolves when it works. */
  start(): Promise<void>
}

/** The running processes. */
export interface Workers extends AsyncDisposable {
  /** Resolves when every process works. Rejects if one does not start. */
  readonly ready: Promise<void>
  pick(random: Random): Worker
  /** Ends the workload. Resolves when every process has reported its last event. */
  end(): Promise<void>
}

const READY_MS = 60_000
const END_MS = 30_000

/** Starts the processes and distributes `workers` among them. */
export function startWorkers({ processes, workers, random, record, ...settings }: WorkersOptions): Workers {
  let started = 0
  const all = Array.from({ length: processes }, (_, index) => {
    const share = Math.floor(workers / processes) + (index < workers % processes ? 1 : 0)
    return { share, child: start(share) }
  })

  function start(share: number): ChildProcess {
    const number = ++started
    const own: WorkerSettings = {
      ...settings,
      name: `w${number}`,
      workers: share,
      seed: random.between(0, 2 ** 31),
      reportsRefusals: number % 2 === 0,
    }
    const child = forkTestProgram('proofs/lock-history/worker-peer.ts', [JSON.stringify(own)])
    child.on('message', (entry: Entry) => record(entry))
    return child
  }

  return {
    ready: Promise.all(all.map(({ child }) => begun(child))).then(() => {}),
    pick(draws) {
      const slot = draws.pick(all)
      const isRunning = (): boolean => slot.child.exitCode === null && slot.child.signalCode === null
      return {
        async freeze() {
          freezeProcess(slot.child.pid ?? 0)
        },
        proveFrozen: () => proveFrozen(slot.child.pid ?? 0),
        async thaw() {
          thawProcess(slot.child.pid ?? 0)
        },
        kill: () => reap(slot.child),
        async proveKilled() {
          if (isRunning()) throw new Error(`process ${slot.child.pid} runs after SIGKILL`)
          return `process ${slot.child.pid} ended by ${slot.child.signalCode}`
        },
        async start() {
          if (isRunning()) return
          slot.child = start(slot.share)
          await begun(slot.child)
        },
      }
    },
    async end() {
      for (const { child } of all) {
        thawProcess(child.pid ?? 0)
        if (child.connected) child.send('end')
      }
      await Promise.all(all.map(({ child }) => gone(child)))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(({ child }) => reap(child)))
    },
  }
}

async function begun(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(() => {
    throw new Error(`process ${child.pid} ended at its start`)
  })
  // an end after the start is expected
  ended.catch(() => {})
  await within(Promise.race([once(child, 'message'), ended]), READY_MS, () => `process ${child.pid} did not begin`)
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await within(once(child, 'exit'), END_MS, () => `process ${child.pid} did not end within ${END_MS} ms`)
}
