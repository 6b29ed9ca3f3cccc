/** Faults on the connection between a replica and the store: a save that arrives late, and a response that is lost. */
import type { Clock } from '../../std/clock.ts'
import type { Random } from '../../std/random.ts'
import type { PacketHold, Replica } from '../targets/processes/parts.ts'
import type { Content } from '../workloads/content.ts'
import type { Outcome } from '../workloads/sender.ts'
import type { FaultInjection, Injection } from './fault.ts'

/** Longest wait for the save on the connection, in milliseconds. */
const CATCH_MS = 5_000

/** Sends a content of the fault's own. It is recorded like every other one. */
export interface Probe {
  fresh(random: Random): Content
  /** Returns bytes by which the content is recognized on the connection to the store. */
  marker(content: Content): Uint8Array
  save(replica: Replica, content: Content): Promise<Outcome>
}

/** Parts that the packet faults use. */
export interface PacketFaultOptions {
  readonly replicas: readonly Replica[]
  readonly probe: Probe
  readonly clock: Clock
}

export interface LateOptions {
  /** Bounds of the time between the second save and the delivery of the first one, milliseconds. */
  readonly afterMs: readonly [number, number]
}

/**
 * Holds a save on its way to the store until its sender has given up and another replica saves the same content. The
 * save is then delivered between the lookup and the response of the other replica, or after both.
 */
export function latePacket(options: PacketFaultOptions, { afterMs }: LateOptions): FaultInjection {
  return {
    name: 'late-packet',
    prepare: (random) =>
      holdSave(options, random, {
        kind: 'hold',
        async prove({ first, second, hold, saveAgain }) {
          const again = saveAgain()
          await options.clock.sleep(random.between(...afterMs))
          const bytes = hold.release()
          await again
          if (bytes === 0) throw new Error(`nothing from ${first.name} was delivered late`)
          return `${bytes} bytes from ${first.name} were delivered while or after ${second.name} saved the same`
        },
      }),
  }
}

/** Delivers a save and drops the response, so the outcome is unknown to its sender. */
export function lostAnswer(options: PacketFaultOptions): FaultInjection {
  return {
    name: 'lost-answer',
    prepare: (random) =>
      holdSave(options, random, {
        kind: 'mute',
        async prove({ first, saveAgain }) {
          await saveAgain()
          return `the response of the store to ${first.name} was lost`
        },
      }),
  }
}

interface CaughtSave {
  /** Replica whose save was caught. */
  readonly first: Replica
  readonly second: Replica
  readonly hold: PacketHold
  /** Saves the same content through the second replica. */
  readonly saveAgain: () => Promise<Outcome>
}

interface HeldSaveSteps {
  readonly kind: 'hold' | 'mute'
  /** Called when the save has been caught and its sender has given up. Resolves with the evidence. */
  readonly prove: (caught: CaughtSave) => Promise<string>
}

/** Catches a save of the first replica on its way to the store. */
function holdSave({ replicas, probe, clock }: PacketFaultOptions, random: Random, trap: HeldSaveSteps): Injection {
  const [first, second] = twoOf(replicas, random)
  const content = probe.fresh(random)
  let hold: PacketHold | undefined
  let saved: Promise<Outcome> | undefined
  return {
    async inject() {
      hold = first.link[trap.kind](probe.marker(content))
      saved = probe.save(first, content)
      await caught(hold, clock)
      await saved
    },
    prove() {
      if (hold === undefined) throw new Error('no save was caught')
      return trap.prove({ first, second, hold, saveAgain: () => probe.save(second, content) })
    },
    async undo() {
      hold?.release()
      await saved
    },
  }
}

function twoOf(replicas: readonly Replica[], random: Random): readonly [Replica, Replica] {
  const first = random.pick(replicas)
  return [first, random.pick(replicas.filter((replica) => replica !== first))]
}

async function caught(hold: PacketHold, clock: Clock): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.timer(CATCH_MS, () => reject(new Error(`no save passed within ${CATCH_MS} ms`)))
  try {
    await Promise.race([hold.caught, late])
  } finally {
    timer.cancel()
  }
}
