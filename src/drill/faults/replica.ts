/** Faults on one of several replicas of the service, at a random moment or at a fail point. */
import type { Breakpoint, BreakSignal, Replica } from '../targets/processes/parts.ts'
import type { FaultInjection, Injection } from './fault.ts'
import { freezeOf, killOf } from './server.ts'

/** Points at which a replica is killed or stopped. See std/failpoint.ts. */
export const POINTS = ['before-commit', 'after-commit', 'before-answer', 'before-release'] as const

/** Longest wait for a request that reaches a breakpoint, in milliseconds. */
const REACH_MS = 5_000
const DOWN_MS = 500
const LEAST_STOP_MS = 200

export interface ReplicaFaultOptions {
  readonly replicas: readonly Replica[]
  /** Lease of a lock, in milliseconds. A stop that must exceed the lease is longer. */
  readonly ttlMs: number
}

/** Kills a random replica, and starts it again after up to 500 ms. */
export function replicaKill({ replicas }: ReplicaFaultOptions): FaultInjection {
  return { name: 'replica-kill', prepare: (random) => killOf(random.pick(replicas), random.between(0, DOWN_MS)) }
}

/** Stops a random replica for 200 ms up to 1.5 leases. */
export function replicaStop({ replicas, ttlMs }: ReplicaFaultOptions): FaultInjection {
  return {
    name: 'replica-stop',
    prepare: (random) => freezeOf(random.pick(replicas), random.between(LEAST_STOP_MS, ttlMs * 1.5)),
  }
}

/** Kills a random replica when it reaches the fail point. */
export function replicaKillAt({ replicas }: ReplicaFaultOptions, point: string): FaultInjection {
  return {
    name: `replica-kill-${point}`,
    prepare(random) {
      const replica = random.pick(replicas)
      return breakpointOf(replica, { point, signalName: 'SIGKILL' }, (deadline) => replica.start(deadline))
    },
  }
}

/** Stops a replica at the point until another replica may have taken its lock. */
export function replicaStopAt({ replicas, ttlMs }: ReplicaFaultOptions, point: string): FaultInjection {
  return {
    name: `replica-stop-${point}`,
    prepare(random) {
      const replica = random.pick(replicas)
      return {
        holdMs: ttlMs * 1.3,
        ...breakpointOf(replica, { point, signalName: 'SIGSTOP' }, () => replica.thaw()),
      }
    },
  }
}

interface Trigger {
  readonly point: string
  readonly signalName: BreakSignal
}

function breakpointOf(
  replica: Replica,
  { point, signalName }: Trigger,
  restore: (deadline: AbortSignal) => Promise<void>,
): Injection {
  let breakpoint: Breakpoint | undefined
  return {
    async inject() {
      breakpoint = replica.arm(point, signalName)
    },
    async prove(signal) {
      if (breakpoint === undefined) throw new Error(`no breakpoint is armed at ${point}`)
      return `${replica.name}: ${await breakpoint.reached(REACH_MS, signal)}`
    },
    async undo(deadline) {
      breakpoint?.disarm()
      await restore(deadline)
    },
  }
}
