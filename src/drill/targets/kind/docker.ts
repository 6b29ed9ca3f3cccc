/** The nodes of a kind cluster are Docker containers, so Docker can freeze them and kill processes in them. */
import { createProgram, type Program } from '../../../std/run-program.ts'
import type { Machines } from '../kubernetes/machines.ts'

/** Returns the docker program. */
export function createDocker(): Program {
  return createProgram('docker', 'install Docker, and put it on the PATH')
}

/** Returns access to the nodes of a kind cluster. */
export function createKindMachines(docker: Program): Machines {
  return {
    freeze: async (node, options) => void (await docker(['pause', node], options)),
    thaw: async (node, options) => void (await docker(['unpause', node], options)),
    isFrozen: async (node, options) =>
      (await docker(['inspect', '--format', '{{.State.Paused}}', node], options)).trim() === 'true',
    async killContainer(node, containerId, options) {
      const kill = ['ctr', '--namespace', 'k8s.io', 'task', 'kill', '-s', 'SIGKILL', containerId]
      await docker(['exec', node, ...kill], options)
    },
  }
}
