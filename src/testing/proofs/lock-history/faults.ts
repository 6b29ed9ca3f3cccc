/** What happens to the servers of a Sentinel deployment and to the workers, with the proof that it did. */
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import { systemClock } from '../../../std/clock.ts'
import type { Random } from '../../../std/random.ts'
import { until, untilTrue } from '../../../std/until.ts'
import type { SentinelServers } from '../../redis/servers.ts'
import type { Prober } from './prober.ts'
import { sentinelKill, sentinelStop } from './sentinel-faults.ts'
import type { Workers } from './workers.ts'

export interface Stage {
  readonly servers: SentinelServers
  readonly prober: Prober
  readonly workers: Workers
}

/** How long a fault may take to show, milliseconds. */
const SHOW_MS = 5_000
/** Sentinel begins no second failover within twice its failover-timeout, and then needs a few seconds. */
const SWITCH_MS = 25_000
const EVERY_MS = 100

const pause = (random: Random, low: number, high: number, signal: AbortSignal): Promise<void> =>
  systemClock.sleep(random.between(low, high), signal)

/** The faults there are, each with a name of its own. */
export function faultsOf(stage: Stage): readonly FaultInjection[] {
  const injections: Readonly<Record<string, FaultInjection['inject']>> = {
    'primary-kill': (random, signal) => primaryKill(stage, random, signal),
    'primary-stop': (random, signal) => primaryStop(stage, random, signal),
    'planned-failover': (_, signal) => handOver(stage, signal),
    'raw-failover': (random, signal) => rawFailover(stage, random, signal),
    'raw-takeover': (random, signal) => rawTakeover(stage, random, signal),
    'successor-kill': (random, signal) => successorKill(stage, random, signal),
    'sentinel-kill': (random, signal) => sentinelKill(stage.servers, random, signal),
    'sentinel-stop': (random, signal) => sentinelStop(stage.servers, random, signal),
    'worker-stop': (random, signal) => workerStop(stage, random, signal),
    'worker-kill': (random) => stage.workers.replace(random),
  }
  // what happens to workers and to one Sentinel leaves the servers that hold locks alone
  const keeps = (name: string): boolean => /^(worker|sentinel)-/.test(name)
  return Object.entries(injections).map(([name, inject]) => ({ name, losesLocks: !keeps(name), inject }))
}

/** Kills the server, does `meanwhile`, and starts it again. Resolves with the proof that it was gone. */
async function killed({ servers, prober }: Stage, port: number, meanwhile: () => Promise<void>): Promise<string> {
  const gone = prober.seen(port, 'fail', { withinMs: SHOW_MS, everyMs: 5 })
  await servers.signal(port, 'KILL')
  try {
    await gone
    await meanwhile()
  } finally {
    await servers.restart(port)
  }
  return `port ${port} refused connections after SIGKILL`
}

/** The server may be back before Sentinel has noticed, then with nothing in it, or after another one took its place. */
async function primaryKill(stage: Stage, random: Random, signal: AbortSignal): Promise<string> {
  const ms = random.chance(0.5) ? random.between(50, 900) : random.between(2_000, 5_000)
  return killed(stage, await stage.servers.master(), () => systemClock.sleep(ms, signal))
}

async function primaryStop({ servers, prober }: Stage, random: Random, signal: AbortSignal): Promise<string> {
  const port = await servers.master()
  const silent = prober.seen(port, 'info', { withinMs: SHOW_MS, everyMs: 5 })
  await servers.signal(port, 'STOP')
  try {
    await silent
    await pause(random, 300, 6_000, signal)
  } finally {
    await servers.signal(port, 'CONT')
  }
  return `port ${port} was silent after SIGSTOP`
}

/** Has Sentinel promote a replica; the primary before goes on taking writes until it is demoted. */
async function handOver({ servers }: Stage, signal: AbortSignal): Promise<string> {
  const [sentinel = 0] = servers.sentinels
  const before = await servers.master()
  await until(
    async () => {
      const answer = await servers.cli(sentinel, 'sentinel', 'failover', 'ingot')
      return answer === 'OK' ? { value: true } : { missing: `a failover: Sentinel says ${answer}` }
    },
    { withinMs: SWITCH_MS, everyMs: 250, signal },
  )
  return switched(servers, before, signal)
}

async function switched(servers: SentinelServers, before: number, signal: AbortSignal): Promise<string> {
  const isOther = async (): Promise<boolean> => (await servers.master()) !== before
  await untilTrue('another primary', isOther, { withinMs: SWITCH_MS, everyMs: EVERY_MS, signal })
  return `the primary was ${before} and is ${await servers.master()}`
}

/** Promotes a replica by hand, which Sentinel undoes later. */
async function rawFailover({ servers, prober }: Stage, random: Random, signal: AbortSignal): Promise<string> {
  const port = await replicaOf(servers, random)
  const writable = prober.seen(port, 'ok', { withinMs: SHOW_MS, everyMs: 5, signal })
  await servers.cli(port, 'replicaof', 'no', 'one')
  await writable
  await pause(random, 500, 4_000, signal)
  return `replica ${port} took writes beside the primary ${await servers.master()}`
}

/** Promotes a replica by hand and kills the primary, which comes back. */
async function rawTakeover(stage: Stage, random: Random, signal: AbortSignal): Promise<string> {
  const { servers, prober } = stage
  const [primary, port] = [await servers.master(), await replicaOf(servers, random)]
  const writable = prober.seen(port, 'ok', { withinMs: SHOW_MS, everyMs: 5, signal })
  await servers.cli(port, 'replicaof', 'no', 'one')
  const proof = await killed(stage, primary, () => pause(random, 500, 5_000, signal))
  await writable
  return `replica ${port} took writes; ${proof}`
}

async function replicaOf(servers: SentinelServers, random: Random): Promise<number> {
  const primary = await servers.master()
  return random.pick(servers.ports.filter((port) => port !== primary))
}

/** Kills the new primary right after a planned failover, so that the one before, never demoted, may return. */
async function successorKill(stage: Stage, random: Random, signal: AbortSignal): Promise<string> {
  const { servers } = stage
  const before = await servers.master()
  const first = await handOver(stage, signal)
  const successor = await servers.master()
  const others = servers.ports.filter((port) => port !== before && port !== successor)
  const follow = async (): Promise<void> => void (await switched(servers, successor, signal))
  // without the third server only the one before can be promoted
  const alone = random.chance(0.7) ? others : []
  await pause(random, 0, 1_500, signal)
  let proof = ''
  const kill = async (): Promise<void> => {
    proof = await killed(stage, successor, follow)
  }
  const nested = alone.reduce<() => Promise<void>>(
    (inner, port) => async () => void (await killed(stage, port, inner)),
    async () => {
      await pause(random, 0, 1_000, signal)
      await kill()
    },
  )
  await nested()
  return `${first}; ${proof}; then it was ${await servers.master()}`
}

async function workerStop({ workers }: Stage, random: Random, signal: AbortSignal): Promise<string> {
  const [proof, go] = await workers.stop(random)
  try {
    await pause(random, 100, 3_000, signal)
  } finally {
    go()
  }
  return proof
}

/** Resolves when Sentinel's primary takes writes and all other servers follow it. */
export async function untilHealed({ servers }: Pick<Stage, 'servers'>, signal: AbortSignal): Promise<void> {
  const isWhole = async (): Promise<boolean> => {
    const primary = await servers.master()
    const info = await servers.cli(primary, 'info', 'replication')
    return /role:master/.test(info) && (info.match(/state=online/g) ?? []).length === servers.ports.length - 1
  }
  await untilTrue('a primary with all replicas in step', isWhole, { withinMs: 60_000, everyMs: 250, signal })
}
