/** Faults on the server that holds the locks. */
import type { Failover, LockServer } from '../targets/processes/parts.ts'
import { type FaultInjection, nothingToUndo } from './fault.ts'
import { freezeOf, serverKill } from './server.ts'

/** Shortest freeze, in milliseconds. The longest one exceeds the lease of a lock. */
const LEAST_FREEZE_MS = 500

/** Returns the faults for this server. `ttlMs` is the lease of a lock in milliseconds. */
export function lockServerFaults(server: LockServer, ttlMs: number): readonly FaultInjection[] {
  const { failover } = server
  const freeze: FaultInjection = {
    name: 'lock-server-freeze',
    // a replica is promoted meanwhile, without the writes that it has not received
    losesLocks: failover !== undefined,
    prepare: (random) => freezeOf(server, random.between(LEAST_FREEZE_MS, ttlMs * 1.5)),
  }
  const handOver = failover === undefined ? [] : [failoverFault(failover)]
  return [serverKill('lock-server-kill', server, true), freeze, flushFault(server), ...handOver]
}

function flushFault(server: LockServer): FaultInjection {
  return {
    name: 'lock-server-flush',
    losesLocks: true,
    prepare() {
      let reply: string | undefined
      return {
        async inject() {
          reply = await server.flush()
        },
        async prove() {
          if (reply === undefined) throw new Error('nothing was flushed')
          return reply
        },
        undo: nothingToUndo,
      }
    },
  }
}

function failoverFault(failover: Failover): FaultInjection {
  return {
    name: 'lock-server-failover',
    losesLocks: true,
    prepare: () => ({
      inject: () => failover.request(),
      prove: (signal) => failover.prove(signal),
      undo: nothingToUndo,
    }),
  }
}
