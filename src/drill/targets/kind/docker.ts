/** The nodes of a kind cluster are Docker containers, so Docker can freeze them and kill processes in them. */
import { reasonOf } from '../../../errors/error.ts'
import { type Clock, systemClock } from '../../../std/clock.ts'
import { type CallOptions, createProgram, type Program } from '../../../std/run-program.ts'
import type { Machines } from '../kubernetes/machines.ts'

/** Returns the docker program. */
export function createDocker(): Program {
  return createProgram('docker', 'install Docker, and put it on the PATH')
}

/** How often a freeze is tried, and the time between two tries in milliseconds. */
const FREEZE_TRIES = 10
const FREEZE_RETRY_MS = 300

/** Returns access to the nodes of a kind cluster. */
export function createKindMachines(docker: Program, clock: Clock = systemClock): Machines {
  return {
    freeze: (node, options) => freeze({ docker, clock }, node, options),
    thaw: async (node, options) => void (await docker(['unpause', node], options)),
    isFrozen: async (node, options) =>
      (await docker(['inspect', '--format', '{{.State.Paused}}', node], options)).trim() === 'true',
    async killContainer(node, containerId, options) {
      const kill = ['ctr', '--namespace', 'k8s.io', 'task', 'kill', '-s', 'SIGKILL', containerId]
      await docker(['exec', node, ...kill], options)
    },
  }
}

/**
 * Pauses the container. While its processes start others all the time, runc may miss some of them: then it thaws the
 * container and reports "unable to freeze", and a later try succeeds.
 */
async function freeze(
  { docker, clock }: { readonly docker: Program; readonly clock: Clock },
  node: string,
  options: CallOptions,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await docker(['pause', node], options)
      return
    } catch (failure) {
      if (tries === FREEZE_TRIES || !reasonOf(failure).includes('unable to freeze')) throw failure
      await clock.sleep(FREEZE_RETRY_MS, options.signal)
    }
  }
}
