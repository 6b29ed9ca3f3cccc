/**
 * One of three Sentinels goes away and comes back. The two others are a majority, so a primary that dies meanwhile is still
 * replaced, and clients find it by the others. Another Sentinel is the witness of both.
 */
import { systemClock } from '../../../std/clock.ts'
import type { Random } from '../../../std/random.ts'
import { until, untilTrue } from '../../../std/until.ts'
import type { SentinelServers } from '../../redis/servers.ts'

/** How long a Sentinel may take to see that another one is away, or back, milliseconds. */
const SEEN_MS = 15_000
/** A Sentinel whose clock made a jump, as after a stop of more than 2 s, does nothing for 30 s (TILT mode). */
const TILT_MS = 45_000
const EVERY_MS = 100

interface Pair {
  readonly port: number
  /** Another one, which stays. */
  readonly witness: number
}

function drawn({ sentinels }: SentinelServers, random: Random): Pair {
  const port = random.pick(sentinels)
  return { port, witness: random.pick(sentinels.filter((one) => one !== port)) }
}

/** Kills a Sentinel, lets time pass, and starts it again with its configuration. Resolves with the proof. */
export async function sentinelKill(servers: SentinelServers, random: Random, signal: AbortSignal): Promise<string> {
  const pair = drawn(servers, random)
  await servers.signal(pair.port, 'KILL')
  try {
    await untilSeen(servers, pair, 'down', signal)
    await systemClock.sleep(random.between(0, 4_000), signal)
  } finally {
    await servers.restart(pair.port)
  }
  await untilBack(servers, pair, signal)
  return `Sentinel ${pair.witness} saw Sentinel ${pair.port} down after SIGKILL, and up again`
}

/** Stops a Sentinel for some time. Resolves with the proof when it takes part again. */
export async function sentinelStop(servers: SentinelServers, random: Random, signal: AbortSignal): Promise<string> {
  const pair = drawn(servers, random)
  await servers.signal(pair.port, 'STOP')
  try {
    await untilSeen(servers, pair, 'down', signal)
    await systemClock.sleep(random.between(0, 4_000), signal)
  } finally {
    await servers.signal(pair.port, 'CONT')
  }
  await untilBack(servers, pair, signal)
  return `Sentinel ${pair.witness} saw Sentinel ${pair.port} down after SIGSTOP, and up again`
}

async function untilSeen(
  servers: SentinelServers,
  { port, witness }: Pair,
  state: 'down' | 'up',
  signal: AbortSignal,
): Promise<void> {
  await until(
    async () => {
      const answer = await servers.cli(witness, 'sentinel', 'sentinels', 'ingot')
      const flags = new RegExp(`\\nport\\n${port}\\n[\\s\\S]*?\\nflags\\n(\\S+)`).exec(answer)?.[1]
      const isSeen = flags !== undefined && flags.includes('s_down') === (state === 'down')
      return isSeen ? { value: true } : { missing: `Sentinel ${port} ${state}: Sentinel ${witness} says ${flags}` }
    },
    { withinMs: SEEN_MS, everyMs: EVERY_MS, signal },
  )
}

/** Resolves when the Sentinel takes part again and knows the primary that its witness knows. */
async function untilBack(servers: SentinelServers, pair: Pair, signal: AbortSignal): Promise<void> {
  await untilSeen(servers, pair, 'up', signal)
  const isPart = async (): Promise<boolean> => {
    if (!/sentinel_tilt:0/.test(await servers.cli(pair.port, 'info', 'sentinel'))) return false
    return (await servers.primaryBy(pair.port)) === (await servers.primaryBy(pair.witness))
  }
  const what = `Sentinel ${pair.port} that takes part again`
  await untilTrue(what, isPart, { withinMs: TILT_MS, everyMs: EVERY_MS, signal })
}
