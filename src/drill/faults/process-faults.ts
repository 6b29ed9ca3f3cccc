/** The faults, made of what can be done to the parts of a system. */
import type { Clock } from '../../std/clock.ts'
import type { Random } from '../../std/random.ts'
import type { Content } from '../workloads/content.ts'
import type { Outcome } from '../workloads/sender.ts'
import type { FaultInjection, LockServer, PacketHold, Replica, Server } from './fault.ts'

/** Where a replica is killed or stopped. See std/failpoint.ts. */
export const POINTS = ['before-commit', 'after-commit', 'before-answer', 'before-release'] as const

/** Longest wait for somebody to come by an armed point, or into a trap, milliseconds. */
const MEET_MS = 5_000

export interface ProcessContext {
  readonly replicas: readonly Replica[]
  readonly clock: Clock
  /** Length of a lock; a pause that is to outlast one is longer. */
  readonly ttlMs: number
}

export function replicaKill({ replicas, clock }: ProcessContext): FaultInjection {
  return {
    name: 'replica-kill',
    async inject(random, signal) {
      const replica = random.pick(replicas)
      const forMs = random.between(0, 500)
      const proof = await broken(clock, {
        strike: () => replica.kill(),
        forMs,
        heal: () => replica.start(signal),
      })
      return `${replica.name}: ${proof}`
    },
  }
}

export function replicaStop({ replicas, clock, ttlMs }: ProcessContext): FaultInjection {
  return {
    name: 'replica-stop',
    async inject(random) {
      const replica = random.pick(replicas)
      const forMs = random.between(200, ttlMs * 1.5)
      const proof = await broken(clock, { strike: () => replica.freeze(), forMs, heal: () => replica.thaw() })
      return `${replica.name}: ${proof}`
    },
  }
}

export function replicaKillAt({ replicas }: ProcessContext, point: string): FaultInjection {
  return {
    name: `replica-kill-${point}`,
    async inject(random, signal) {
      const replica = random.pick(replicas)
      return ambushed(replica, { point, by: 'SIGKILL', signal }, () => replica.start(signal))
    },
  }
}

/** Stopped until somebody else may have taken its lock. */
export function replicaStopAt({ replicas, clock, ttlMs }: ProcessContext, point: string): FaultInjection {
  return {
    name: `replica-stop-${point}`,
    async inject(random, signal) {
      const replica = random.pick(replicas)
      try {
        return await ambushed(replica, { point, by: 'SIGSTOP', signal }, () => clock.sleep(ttlMs * 1.3))
      } finally {
        replica.thaw()
      }
    },
  }
}

interface Trigger {
  readonly point: string
  readonly by: 'SIGKILL' | 'SIGSTOP'
  readonly signal: AbortSignal
}

/** Strikes when the replica passes the point, and then does what is to follow. Rejects when it did not come by. */
async function ambushed(
  replica: Replica,
  { point, by, signal }: Trigger,
  follow: () => Promise<void>,
): Promise<string> {
  const ambush = replica.arm(point, by)
  try {
    const proof = await ambush.met(MEET_MS, signal)
    await follow()
    return `${replica.name}: ${proof}`
  } finally {
    ambush.disarm()
  }
}

export function serverRestart(name: string, server: Server, clock: Clock, losesLocks = false): FaultInjection {
  return {
    name,
    losesLocks,
    inject: (random, signal) =>
      broken(clock, { strike: () => server.kill(), forMs: random.between(0, 800), heal: () => server.start(signal) }),
  }
}

interface Break {
  /** Resolves with the proof. */
  readonly strike: () => Promise<string>
  readonly forMs: number
  readonly heal: () => Promise<void> | void
}

/** No signal ends it early: it is short, and what it broke must be healed. */
async function broken(clock: Clock, { strike, forMs, heal }: Break): Promise<string> {
  try {
    const proof = await strike()
    await clock.sleep(forMs)
    return proof
  } finally {
    await heal()
  }
}

export function lockFaults(server: LockServer, { clock, ttlMs }: ProcessContext): readonly FaultInjection[] {
  const { failover } = server
  const freeze: FaultInjection = {
    name: 'lock-server-freeze',
    // where there is a replica, it is promoted meanwhile, without what it had not heard
    losesLocks: failover !== undefined,
    inject: (random) =>
      broken(clock, {
        strike: () => server.freeze(),
        forMs: random.between(500, ttlMs * 1.5),
        heal: () => server.thaw(),
      }),
  }
  const flush: FaultInjection = { name: 'lock-server-flush', losesLocks: true, inject: () => server.flush() }
  const over: FaultInjection[] =
    failover === undefined
      ? []
      : [{ name: 'lock-server-failover', losesLocks: true, inject: (_random, signal) => failover(signal) }]
  return [serverRestart('lock-server-kill', server, clock, true), freeze, flush, ...over]
}

/** A content of the fault's own, sent and recorded like every other. */
export interface Probe {
  fresh(random: Random): Content
  /** What of the content is seen on the wire to the store. */
  marker(content: Content): Uint8Array
  save(replica: Replica, content: Content): Promise<Outcome>
}

export interface LateOptions {
  /** Bounds of the time from the second sender's start to the delivery of the first one's packet, milliseconds. */
  readonly afterMs: readonly [number, number]
}

/**
 * A save is held on its way to the store until its sender has given it up and another replica saves the same: then it
 * is delivered, somewhere between the other's look and its answer, or after it.
 */
export function latePacket(stage: ProcessContext, probe: Probe, { afterMs }: LateOptions): FaultInjection {
  return {
    name: 'late-packet',
    inject: (random) =>
      trapped(stage, probe, random, {
        kind: 'hold',
        after: async ({ first, second, trap, saveAgain }) => {
          const again = saveAgain()
          await stage.clock.sleep(random.between(...afterMs))
          const bytes = trap.open()
          await again
          return `${bytes} bytes from ${first.name} were delivered while or after ${second.name} saved the same`
        },
      }),
  }
}

/** A save arrives, its answer does not: its sender cannot know. */
export function lostAnswer(stage: ProcessContext, probe: Probe): FaultInjection {
  return {
    name: 'lost-answer',
    inject: (random) =>
      trapped(stage, probe, random, {
        kind: 'mute',
        after: async ({ first, saveAgain }) => {
          await saveAgain()
          return `the store's answer to ${first.name} was lost`
        },
      }),
  }
}

interface Caught {
  /** Whose save it is. */
  readonly first: Replica
  readonly second: Replica
  readonly trap: PacketHold
  /** The second replica saves the same. */
  readonly saveAgain: () => Promise<Outcome>
}

interface Trapping {
  readonly kind: 'hold' | 'mute'
  /** When the save has been caught, and given up by its sender. Resolves with the proof. */
  readonly after: (caught: Caught) => Promise<string>
}

async function trapped(
  { replicas, clock }: ProcessContext,
  probe: Probe,
  random: Random,
  { kind, after }: Trapping,
): Promise<string> {
  const [first, second] = twoOf(replicas, random)
  const content = probe.fresh(random)
  const trap = first.link[kind](probe.marker(content))
  const saved = probe.save(first, content)
  try {
    await caught(trap, clock)
    await saved
    return await after({ first, second, trap, saveAgain: () => probe.save(second, content) })
  } finally {
    trap.open()
    await saved
  }
}

function twoOf(replicas: readonly Replica[], random: Random): readonly [Replica, Replica] {
  const first = random.pick(replicas)
  return [first, random.pick(replicas.filter((replica) => replica !== first))]
}

async function caught(trap: PacketHold, clock: Clock): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.timer(MEET_MS, () => reject(new Error(`nothing came by within ${MEET_MS} ms`)))
  try {
    await Promise.race([trap.caught, late])
  } finally {
    timer.cancel()
  }
}
