/** Faults on the servers of a Sentinel deployment that hold data. */
import { type FaultInjection, type Injection, nothingToUndo } from '../../../../drill/faults/fault.ts'
import { systemClock } from '../../../../std/clock.ts'
import type { Random } from '../../../../std/random.ts'
import { until, untilTrue } from '../../../../std/until.ts'
import type { SentinelServers } from '../../../redis/servers.ts'
import type { Prober } from './prober.ts'

export interface ServerFaultOptions {
  readonly servers: SentinelServers
  readonly prober: Prober
}

/** Longest time until the probes show a fault, in milliseconds. */
const SHOW_MS = 5_000
/**
 * Longest failover, in milliseconds. Sentinel starts no second failover within twice its failover-timeout, and then
 * needs a few seconds.
 */
const SWITCH_MS = 25_000
const EVERY_MS = 100

/**
 * Returns the faults. Each of them may lose locks: a replica is promoted without the writes that it has not received.
 */
export function serverFaults(options: ServerFaultOptions): readonly FaultInjection[] {
  const prepare: Readonly<Record<string, FaultInjection['prepare']>> = {
    'primary-kill': (random) => primaryKill(options, random),
    'primary-stop': (random) => primaryStop(options, random),
    'planned-failover': () => plannedFailover(options),
    'raw-failover': (random) => rawFailover(options, random),
    'raw-takeover': (random) => rawTakeover(options, random),
    'successor-kill': (random) => successorKill(options, random),
  }
  return Object.entries(prepare).map(([name, of]) => ({ name, losesLocks: true, prepare: of }))
}

/** Creates kills of servers, which can be started again. */
function createKills({ servers, prober }: ServerFaultOptions) {
  const killed = new Set<number>()
  return {
    async kill(port: number): Promise<void> {
      killed.add(port)
      await servers.signal(port, 'KILL')
    },
    async prove(port: number): Promise<string> {
      await prober.seen(port, 'fail', { withinMs: SHOW_MS, everyMs: 5 })
      return `port ${port} refused connections after SIGKILL`
    },
    async restart(): Promise<void> {
      for (const port of killed) {
        killed.delete(port)
        await servers.restart(port)
      }
    },
  }
}

/** Kills the primary. It may return without data before Sentinel has noticed, or after another server was promoted. */
async function primaryKill(options: ServerFaultOptions, random: Random): Promise<Injection> {
  const port = await options.servers.master()
  const kills = createKills(options)
  return {
    holdMs: random.chance(0.5) ? random.between(50, 900) : random.between(2_000, 5_000),
    inject: () => kills.kill(port),
    prove: () => kills.prove(port),
    undo: () => kills.restart(),
  }
}

async function primaryStop({ servers, prober }: ServerFaultOptions, random: Random): Promise<Injection> {
  const port = await servers.master()
  return {
    holdMs: random.between(300, 6_000),
    inject: () => servers.signal(port, 'STOP'),
    async prove(signal) {
      await prober.seen(port, 'info', { withinMs: SHOW_MS, everyMs: 5, signal })
      return `port ${port} did not respond after SIGSTOP`
    },
    undo: () => servers.signal(port, 'CONT'),
  }
}

/** Makes Sentinel promote a replica. The former primary accepts writes until it is demoted. */
async function plannedFailover({ servers }: ServerFaultOptions): Promise<Injection> {
  const before = await servers.master()
  return {
    inject: (signal) => requestFailover(servers, signal),
    prove: (signal) => switched(servers, before, signal),
    undo: nothingToUndo,
  }
}

/** Repeats the request while Sentinel refuses it, for example because the last failover was too recent. */
async function requestFailover(servers: SentinelServers, signal: AbortSignal): Promise<void> {
  const [sentinel = 0] = servers.sentinels
  await until(
    async () => {
      const reply = await servers.cli(sentinel, 'sentinel', 'failover', 'ingot')
      return reply === 'OK' ? { value: true } : { missing: `a failover: Sentinel returned ${reply}` }
    },
    { withinMs: SWITCH_MS, everyMs: 250, signal },
  )
}

async function switched(servers: SentinelServers, before: number, signal: AbortSignal): Promise<string> {
  const isOther = async (): Promise<boolean> => (await servers.master()) !== before
  await untilTrue('another primary', isOther, { withinMs: SWITCH_MS, everyMs: EVERY_MS, signal })
  return `the primary was ${before} and is ${await servers.master()}`
}

/** Promotes a replica by REPLICAOF. Nothing is undone: Sentinel demotes it later, and that is part of the fault. */
async function rawFailover({ servers, prober }: ServerFaultOptions, random: Random): Promise<Injection> {
  const primary = await servers.master()
  const port = replicaOf(servers, primary, random)
  return {
    holdMs: random.between(500, 4_000),
    async inject() {
      await servers.cli(port, 'replicaof', 'no', 'one')
    },
    async prove(signal) {
      await prober.seen(port, 'ok', { withinMs: SHOW_MS, everyMs: 5, signal })
      return `replica ${port} accepted writes beside the primary ${primary}`
    },
    undo: nothingToUndo,
  }
}

/** Promotes a replica by REPLICAOF and kills the primary, which returns later. */
async function rawTakeover(options: ServerFaultOptions, random: Random): Promise<Injection> {
  const { servers, prober } = options
  const primary = await servers.master()
  const port = replicaOf(servers, primary, random)
  const kills = createKills(options)
  return {
    holdMs: random.between(500, 5_000),
    async inject() {
      await servers.cli(port, 'replicaof', 'no', 'one')
      await kills.kill(primary)
    },
    async prove(signal) {
      const writable = prober.seen(port, 'ok', { withinMs: SHOW_MS, everyMs: 5, signal })
      const [says] = await Promise.all([kills.prove(primary), writable])
      return `replica ${port} accepted writes; ${says}`
    },
    undo: () => kills.restart(),
  }
}

function replicaOf(servers: SentinelServers, primary: number, random: Random): number {
  return random.pick(servers.ports.filter((port) => port !== primary))
}

/** Kills the new primary right after a planned failover, so that the former one may return before it was demoted. */
async function successorKill(options: ServerFaultOptions, random: Random): Promise<Injection> {
  const { servers } = options
  const before = await servers.master()
  const kills = createKills(options)
  // without the third server only the former primary can be promoted
  const isThirdKilled = random.chance(0.7)
  const pausesMs = [random.between(0, 1_500), random.between(0, 1_000)] as const
  let successor = 0
  let first = ''
  return {
    async inject(signal) {
      await requestFailover(servers, signal)
      first = await switched(servers, before, signal)
      successor = await servers.master()
      await systemClock.sleep(pausesMs[0], signal)
      const others = servers.ports.filter((port) => port !== before && port !== successor)
      for (const port of isThirdKilled ? others : []) await kills.kill(port)
      await systemClock.sleep(pausesMs[1], signal)
      await kills.kill(successor)
    },
    async prove(signal) {
      const says = await kills.prove(successor)
      return `${first}; ${says}; then ${await switched(servers, successor, signal)}`
    },
    undo: () => kills.restart(),
  }
}
