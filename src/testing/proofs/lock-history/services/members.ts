/** Faults on an ensemble of servers that elect a leader: etcd and ZooKeeper. */
import type { FaultInjection, Injection } from '../../../../drill/faults/fault.ts'
import type { Random } from '../../../../std/random.ts'
import { untilTrue } from '../../../../std/until.ts'
import { proveDead, proveSilent } from './probes.ts'

/** An ensemble. Its members have numbers, from 0. */
export interface Ensemble {
  readonly ports: readonly number[]
  signal(member: number, name: 'KILL' | 'STOP' | 'CONT'): Promise<void>
  restart(member: number): Promise<void>
  /** Resolves with the number of the leader. Rejects if there is none. */
  leader(): Promise<number>
}

const HEALTHY_MS = 60_000
const EVERY_MS = 250

/** Returns the faults. `hello` is a request to which a running member responds. */
export function ensembleFaults(ensemble: Ensemble, hello: string): readonly FaultInjection[] {
  const { ports } = ensemble
  const all = ports.map((_, member) => member)
  const others = (leader: number): readonly number[] => all.filter((member) => member !== leader)
  const prepare: Readonly<Record<string, FaultInjection['prepare']>> = {
    'leader-kill': async (random) => kill(ensemble, [await ensemble.leader()], random),
    'leader-stop': async (random) => freeze({ ensemble, hello }, [await ensemble.leader()], random),
    'follower-kill': async (random) => kill(ensemble, [random.pick(others(await ensemble.leader()))], random),
    'follower-stop': async (random) =>
      freeze({ ensemble, hello }, [random.pick(others(await ensemble.leader()))], random),
    // without a majority no lock is granted, until one is back
    'majority-kill': async (random) => {
      const leader = await ensemble.leader()
      return kill(ensemble, [leader, random.pick(others(leader))], random)
    },
    'majority-stop': async (random) => {
      const leader = await ensemble.leader()
      return freeze({ ensemble, hello }, [leader, random.pick(others(leader))], random)
    },
    'all-kill': (random) => kill(ensemble, all, random),
  }
  return Object.entries(prepare).map(([name, of]) => ({ name, prepare: of }))
}

function kill(ensemble: Ensemble, members: readonly number[], random: Random): Injection {
  const dead = new Set<number>()
  return {
    holdMs: random.between(300, 6_000),
    async inject() {
      for (const member of members) {
        dead.add(member)
        await ensemble.signal(member, 'KILL')
      }
    },
    prove: async () => (await Promise.all(members.map((member) => proveDead(portOf(ensemble, member))))).join('; '),
    async undo() {
      for (const member of dead) {
        dead.delete(member)
        await ensemble.restart(member)
      }
    },
  }
}

interface Frozen {
  readonly ensemble: Ensemble
  readonly hello: string
}

function freeze({ ensemble, hello }: Frozen, members: readonly number[], random: Random): Injection {
  return {
    holdMs: random.between(300, 8_000),
    async inject() {
      for (const member of members) await ensemble.signal(member, 'STOP')
    },
    prove: async () =>
      (await Promise.all(members.map((member) => proveSilent(portOf(ensemble, member), hello)))).join('; '),
    async undo() {
      for (const member of members) await ensemble.signal(member, 'CONT')
    },
  }
}

const portOf = ({ ports }: Ensemble, member: number): number => ports[member] ?? 0

/** Resolves when the ensemble has a leader. Rejects after a minute. */
export async function untilLed(ensemble: Ensemble, signal: AbortSignal): Promise<void> {
  const isLed = async (): Promise<boolean> => (await ensemble.leader().catch(() => -1)) >= 0
  await untilTrue('a leader', isLed, { withinMs: HEALTHY_MS, everyMs: EVERY_MS, signal })
}
