/** Faults that apply to any server: kill and start, stop and continue. */
import type { Freezable, Server } from '../targets/processes/parts.ts'
import type { FaultInjection, Injection } from './fault.ts'

/** Longest time until a killed server is started again, in milliseconds. */
const DOWN_MS = 800

/** Kills the server, and starts it again after `holdMs` milliseconds. */
export function killOf(server: Server, holdMs: number): Injection {
  return {
    holdMs,
    inject: () => server.kill(),
    prove: () => server.proveKilled(),
    undo: (deadline) => server.start(deadline),
  }
}

/** Stops the server, and continues it after `holdMs` milliseconds. */
export function freezeOf(server: Freezable, holdMs: number): Injection {
  return {
    holdMs,
    inject: () => server.freeze(),
    prove: () => server.proveFrozen(),
    undo: () => server.thaw(),
  }
}

/** Kills the server, and starts it again after up to 800 ms. */
export function serverKill(name: string, server: Server, losesLocks = false): FaultInjection {
  return { name, losesLocks, prepare: (random) => killOf(server, random.between(0, DOWN_MS)) }
}
