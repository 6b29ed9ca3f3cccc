/**
 * Faults on one of three Sentinels. The two others are a majority: they replace a primary that dies meanwhile, and
 * clients find it through them. Another Sentinel is the witness of the fault.
 */
import type { FaultInjection, Injection } from '../../../../drill/faults/fault.ts'
import { parseInfo } from '../../../../redis/topology/info.ts'
import { parseSentinelPeers } from '../../../../redis/topology/sentinel-replies.ts'
import type { Random } from '../../../../std/random.ts'
import { until, untilTrue } from '../../../../std/until.ts'
import type { SentinelServers } from '../../../redis/servers.ts'

/** Longest time until a Sentinel reports that another one is down, or up again, in milliseconds. */
const SEEN_MS = 15_000
/**
 * Longest return of a Sentinel, in milliseconds. A Sentinel whose clock has jumped, as after a stop of more than 2 s,
 * does nothing for 30 s (TILT mode).
 */
const TILT_MS = 45_000
const EVERY_MS = 100
/** Longest time for which a Sentinel stays down after its witness has reported it, in milliseconds. */
const AWAY_MS = 4_000

/** Returns the faults on a Sentinel. */
export function sentinelFaults(servers: SentinelServers): readonly FaultInjection[] {
  return [
    { name: 'sentinel-kill', prepare: (random) => sentinelKill(servers, random) },
    { name: 'sentinel-stop', prepare: (random) => sentinelStop(servers, random) },
  ]
}

interface Pair {
  readonly port: number
  /** Port of another Sentinel, which keeps running. */
  readonly witness: number
}

function drawPair({ sentinels }: SentinelServers, random: Random): Pair {
  const port = random.pick(sentinels)
  return { port, witness: random.pick(sentinels.filter((one) => one !== port)) }
}

/** Kills a Sentinel, and starts it again with its configuration. */
function sentinelKill(servers: SentinelServers, random: Random): Injection {
  const pair = drawPair(servers, random)
  return sentinelAway(servers, pair, random, {
    signalName: 'KILL',
    restore: () => servers.restart(pair.port),
  })
}

/** Stops a Sentinel for some time. */
function sentinelStop(servers: SentinelServers, random: Random): Injection {
  const pair = drawPair(servers, random)
  return sentinelAway(servers, pair, random, {
    signalName: 'STOP',
    restore: () => servers.signal(pair.port, 'CONT'),
  })
}

interface Absence {
  readonly signalName: 'KILL' | 'STOP'
  readonly restore: () => Promise<void>
}

function sentinelAway(
  servers: SentinelServers,
  pair: Pair,
  random: Random,
  { signalName, restore }: Absence,
): Injection {
  let isAway = false
  return {
    holdMs: random.between(0, AWAY_MS),
    async inject() {
      isAway = true
      await servers.signal(pair.port, signalName)
    },
    async prove(signal) {
      await untilSeen(servers, pair, 'down', signal)
      return `Sentinel ${pair.witness} saw Sentinel ${pair.port} down after SIG${signalName}`
    },
    async undo(deadline) {
      if (isAway) await restore()
      isAway = false
      await untilBack(servers, pair, deadline)
    },
  }
}

async function untilSeen(
  servers: SentinelServers,
  { port, witness }: Pair,
  state: 'down' | 'up',
  signal: AbortSignal,
): Promise<void> {
  await until(
    async () => {
      const peers = parseSentinelPeers(await servers.cli(witness, 'sentinel', 'sentinels', 'ingot'))
      const flags = peers.find((peer) => peer.port === port)?.flags
      const isSeen = flags?.includes('s_down') === (state === 'down')
      return isSeen
        ? { value: true }
        : { missing: `Sentinel ${port} ${state}: Sentinel ${witness} reports ${flags?.join() ?? 'none'}` }
    },
    { withinMs: SEEN_MS, everyMs: EVERY_MS, signal },
  )
}

/** Resolves when the Sentinel takes part again and names the same primary as its witness. */
async function untilBack(servers: SentinelServers, pair: Pair, signal: AbortSignal): Promise<void> {
  await untilSeen(servers, pair, 'up', signal)
  const isPart = async (): Promise<boolean> => {
    const info = parseInfo(await servers.cli(pair.port, 'info', 'sentinel'))
    if (info.get('sentinel_tilt') !== '0') return false
    return (await servers.primaryBy(pair.port)) === (await servers.primaryBy(pair.witness))
  }
  const what = `Sentinel ${pair.port} that takes part again`
  await untilTrue(what, isPart, { withinMs: TILT_MS, everyMs: EVERY_MS, signal })
}
