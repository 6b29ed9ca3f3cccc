/** The processes of the workload, which can be stopped, and killed and replaced. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Entry } from '../../../drill/history.ts'
import type { Random } from '../../../std/random.ts'
import { forkTestProgram, reap } from '../../locks/processes.ts'
import { within } from '../../service.ts'
import { freeze, thaw } from '../torture/processes.ts'
import type { WorkerSettings } from './worker-peer.ts'

export interface WorkersOptions extends Omit<WorkerSettings, 'name' | 'workers' | 'seed' | 'tellsRefusals'> {
  readonly processes: number
  readonly workers: number
  readonly random: Random
  readonly record: (entry: Entry) => void
}

export interface Workers extends AsyncDisposable {
  /** Resolves when every process has begun its work; rejects when one cannot. */
  readonly ready: Promise<void>
  /** Stops a process until the returned function is called; resolves with the proof. */
  stop(random: Random): Promise<readonly [proof: string, go: () => void]>
  /** Kills a process and starts another one in its place; resolves with the proof. */
  replace(random: Random): Promise<string>
  /** Ends the workload; resolves when every process has told all. */
  end(): Promise<void>
}

const READY_MS = 60_000
const END_MS = 30_000

/** `workers` in all, spread over the processes. */
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
      tellsRefusals: number % 2 === 0,
    }
    const child = forkTestProgram('proofs/lock-history/worker-peer.ts', [JSON.stringify(own)])
    child.on('message', (entry: Entry) => record(entry))
    return child
  }

  return {
    ready: Promise.all(all.map(({ child }) => begun(child))).then(() => {}),
    async stop(draws) {
      const { pid = 0 } = draws.pick(all).child
      const state = await freeze(pid)
      return [state, () => thaw(pid)]
    },
    async replace(draws) {
      const place = draws.pick(all)
      const { child: victim } = place
      await reap(victim)
      place.child = start(place.share)
      await begun(place.child)
      return `process ${victim.pid} ended by ${victim.signalCode}, process ${place.child.pid} took its place`
    },
    async end() {
      for (const { child } of all) {
        thaw(child.pid ?? 0)
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
  // a process that ends later ends as it should
  ended.catch(() => {})
  await within(Promise.race([once(child, 'message'), ended]), READY_MS, () => `process ${child.pid} did not begin`)
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await within(once(child, 'exit'), END_MS, () => `process ${child.pid} did not end within ${END_MS} ms`)
}
