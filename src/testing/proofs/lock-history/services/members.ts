/** Faults on several servers of which a majority must work: etcd and ZooKeeper, which elect a leader, and Redlock. */
import type { FaultInjection, Injection } from '../../../../drill/faults/fault.ts'
import type { Random } from '../../../../std/random.ts'
import { untilTrue } from '../../../../std/until.ts'
import { proveDead, proveSilent } from './probes.ts'

/** Servers. Each has a number, from 0. */
export interface Members {
  readonly ports: readonly number[]
  signal(member: number, name: 'KILL' | 'STOP' | 'CONT'): Promise<void>
  restart(member: number): Promise<void>
}

/** Servers that elect a leader. */
export interface Ensemble extends Members {
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

/**
 * Returns the faults on servers without a leader: one of them, as many as may fail, and a majority. `hello` is a request to
 * which a running server responds.
 */
export function independentFaults(members: Members, hello: string): readonly FaultInjection[] {
  const all = members.ports.map((_, member) => member)
  const majority = Math.floor(all.length / 2) + 1
  const sizes = { server: 1, minority: all.length - majority, majority }
  return Object.entries(sizes).flatMap(([name, size]): readonly FaultInjection[] => {
    return [
      { name: `${name}-kill`, prepare: (random) => kill(members, someOf(all, size, random), random) },
      {
        name: `${name}-stop`,
        prepare: (random) => freeze({ ensemble: members, hello }, someOf(all, size, random), random),
      },
    ]
  })
}

function someOf(all: readonly number[], size: number, random: Random): readonly number[] {
  const left = new Set(all)
  while (left.size > size) left.delete(random.pick([...left]))
  return [...left]
}

function kill(ensemble: Members, members: readonly number[], random: Random): Injection {
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
  readonly ensemble: Members
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

const portOf = ({ ports }: Members, member: number): number => ports[member] ?? 0

/** Resolves when the ensemble has a leader. Rejects after a minute. */
export async function untilLed(ensemble: Ensemble, signal: AbortSignal): Promise<void> {
  const isLed = async (): Promise<boolean> => (await ensemble.leader().catch(() => -1)) >= 0
  await untilTrue('a leader', isLed, { withinMs: HEALTHY_MS, everyMs: EVERY_MS, signal })
}
