/** The nodes of a kind cluster are containers: what a cloud does to a machine, Docker does to them. */
import { type CallOptions, createProgram, type Program } from '../../../std/run-program.ts'

export interface Docker {
  readonly run: Program
  pause(node: string, options: CallOptions): Promise<void>
  unpause(node: string, options: CallOptions): Promise<void>
  isPaused(node: string, options: CallOptions): Promise<boolean>
  /** SIGKILL to the first process of a container in a node, past kubelet and its grace. */
  killContainer(node: string, containerId: string, options: CallOptions): Promise<void>
}

export function createDocker(): Docker {
  const run = createProgram('docker', 'install Docker, and put it on the PATH')
  return {
    run,
    pause: async (node, options) => void (await run(['pause', node], options)),
    unpause: async (node, options) => void (await run(['unpause', node], options)),
    isPaused: async (node, options) =>
      (await run(['inspect', '--format', '{{.State.Paused}}', node], options)).trim() === 'true',
    async killContainer(node, containerId, options) {
      await run(['exec', node, 'ctr', '--namespace', 'k8s.io', 'task', 'kill', '-s', 'SIGKILL', containerId], options)
    },
  }
}
