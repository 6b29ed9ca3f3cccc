/** The faults, made of what can be done to the parts of a system. */
import type { Clock } from '../../std/clock.ts'
import type { Random } from '../../std/random.ts'
import type { Content } from '../workload/content.ts'
import type { Outcome } from '../workload/sender.ts'
import type { Fault, LockServer, Replica, Server, Trap } from './fault.ts'

/** Where a replica is killed or stopped. See std/failpoint.ts. */
export const POINTS = ['before-commit', 'after-commit', 'before-answer', 'before-release'] as const

/** Longest wait for somebody to come by an armed point, milliseconds. */
const MEET_MS = 5_000

export interface Stage {
  readonly replicas: readonly Replica[]
  readonly clock: Clock
  /** Length of a lock; a pause that is to outlast one is longer. */
  readonly ttlMs: number
}

export function replicaKill({ replicas, clock }: Stage): Fault {
  return {
    name: 'replica-kill',
    async strike(random, signal) {
      const replica = random.pick(replicas)
      const proof = await replica.kill()
      await pause(clock, random.between(0, 500))
      await replica.start(signal)
      return `${replica.name}: ${proof}`
    },
  }
}

export function replicaStop({ replicas, clock, ttlMs }: Stage): Fault {
  return {
    name: 'replica-stop',
    async strike(random) {
      const replica = random.pick(replicas)
      try {
        const proof = await replica.freeze()
        await pause(clock, random.between(200, ttlMs * 1.5))
        return `${replica.name}: ${proof}`
      } finally {
        replica.thaw()
      }
    },
  }
}

export function replicaKillAt({ replicas }: Stage, point: string): Fault {
  return {
    name: `replica-kill-${point}`,
    async strike(random, signal) {
      const replica = random.pick(replicas)
      const ambush = replica.arm(point, 'SIGKILL')
      try {
        const proof = await ambush.met(MEET_MS, signal)
        await replica.start(signal)
        return `${replica.name}: ${proof}`
      } finally {
        ambush.disarm()
      }
    },
  }
}

/** Stopped until somebody else may have taken its lock. */
export function replicaStopAt({ replicas, clock, ttlMs }: Stage, point: string): Fault {
  return {
    name: `replica-stop-${point}`,
    async strike(random, signal) {
      const replica = random.pick(replicas)
      const ambush = replica.arm(point, 'SIGSTOP')
      try {
        const proof = await ambush.met(MEET_MS, signal)
        await pause(clock, ttlMs * 1.3)
        return `${replica.name}: ${proof}`
      } finally {
        ambush.disarm()
        replica.thaw()
      }
    },
  }
}

export function serverRestart(name: string, server: Server, clock: Clock, losesLocks = false): Fault {
  return {
    name,
    losesLocks,
    async strike(random, signal) {
      try {
        const proof = await server.kill()
        await pause(clock, random.between(0, 800))
        return proof
      } finally {
        await server.start(signal)
      }
    },
  }
}

export function lockFaults(server: LockServer, { clock, ttlMs }: Stage): readonly Fault[] {
  const { failover } = server
  const freeze: Fault = {
    name: 'lock-server-freeze',
    // where there is a replica, it is promoted meanwhile, without what it had not heard
    losesLocks: failover !== undefined,
    async strike(random) {
      try {
        const proof = await server.freeze()
        await pause(clock, random.between(500, ttlMs * 1.5))
        return proof
      } finally {
        await server.thaw()
      }
    },
  }
  const flush: Fault = { name: 'lock-server-flush', losesLocks: true, strike: () => server.flush() }
  const over: Fault[] =
    failover === undefined
      ? []
      : [{ name: 'lock-server-failover', losesLocks: true, strike: (_random, signal) => failover(signal) }]
  return [serverRestart('lock-server-kill', server, clock, true), freeze, flush, ...over]
}

/** A content of the fault's own, sent and recorded like every other. */
export interface Probe {
  fresh(random: Random): Content
  /** What of the content is seen on the wire to the store. */
  marker(content: Content): Uint8Array
  save(replica: Replica, content: Content): Promise<Outcome>
}

/** From the second sender's start to the delivery of the first one's packet, milliseconds; at most. */
export interface LateOptions {
  readonly afterMs: readonly [number, number]
}

/**
 * A save is held on its way to the store until its sender has given it up and another replica saves the same: then it
 * is delivered, somewhere between the other's look and its answer, or after it.
 */
export function latePacket(stage: Stage, probe: Probe, { afterMs }: LateOptions): Fault {
  return {
    name: 'late-packet',
    async strike(random) {
      const [first, second] = twoOf(stage.replicas, random)
      const content = probe.fresh(random)
      const trap = first.wire.hold(probe.marker(content))
      const saved = probe.save(first, content)
      try {
        await caught(trap, stage.clock)
        await saved
        const again = probe.save(second, content)
        await pause(stage.clock, random.between(...afterMs))
        const bytes = trap.open()
        await again
        return `${bytes} bytes from ${first.name} were delivered while or after ${second.name} saved the same`
      } finally {
        trap.open()
        await saved
      }
    },
  }
}

/** A save arrives, its answer does not: its sender cannot know. */
export function lostAnswer(stage: Stage, probe: Probe): Fault {
  return {
    name: 'lost-answer',
    async strike(random) {
      const [first, second] = twoOf(stage.replicas, random)
      const content = probe.fresh(random)
      const trap = first.wire.mute(probe.marker(content))
      const saved = probe.save(first, content)
      try {
        await caught(trap, stage.clock)
        await saved
        await probe.save(second, content)
        return `the store's answer to ${first.name} was lost`
      } finally {
        trap.open()
        await saved
      }
    },
  }
}

function twoOf(replicas: readonly Replica[], random: Random): readonly [Replica, Replica] {
  const first = random.pick(replicas)
  return [first, random.pick(replicas.filter((replica) => replica !== first))]
}

async function caught(trap: Trap, clock: Clock): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.timer(MEET_MS, () => reject(new Error(`nothing came by within ${MEET_MS} ms`)))
  try {
    await Promise.race([trap.caught, late])
  } finally {
    timer.cancel()
  }
}

/** A fault ends in its own time: it is short, and what it broke must be healed. */
function pause(clock: Clock, ms: number): Promise<void> {
  return clock.sleep(ms)
}
