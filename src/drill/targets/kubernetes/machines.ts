/** Port for access to the machines of a cluster from outside it. Most clusters offer no such access. */
import type { CallOptions } from '../../../std/run-program.ts'

export interface Machines {
  /** Stops every process of the node, including the kubelet. */
  freeze(node: string, options: CallOptions): Promise<void>
  thaw(node: string, options: CallOptions): Promise<void>
  isFrozen(node: string, options: CallOptions): Promise<boolean>
  /** Sends SIGKILL to the first process of a container, without the kubelet and its grace period. */
  killContainer(node: string, containerId: string, options: CallOptions): Promise<void>
}
