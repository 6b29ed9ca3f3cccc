/** Faults on the processes of the workload. */
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import type { Workers } from './workers.ts'

/** Returns the faults on a worker process. */
export function workerFaults(workers: Workers): readonly FaultInjection[] {
  return [
    {
      name: 'worker-stop',
      prepare(random) {
        const worker = workers.pick(random)
        return {
          holdMs: random.between(100, 3_000),
          inject: () => worker.freeze(),
          prove: () => worker.proveFrozen(),
          undo: () => worker.thaw(),
        }
      },
    },
    {
      name: 'worker-kill',
      prepare(random) {
        const worker = workers.pick(random)
        return { inject: () => worker.kill(), prove: () => worker.proveKilled(), undo: () => worker.start() }
      },
    },
  ]
}
