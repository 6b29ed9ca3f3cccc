/** Adapts the Redis servers of a test to a lock server that faults can break. */
import type { Failover, LockServer } from '../../../drill/targets/processes/parts.ts'
import { untilTrue } from '../../../std/until.ts'
import { serverFolder } from '../../redis/container.ts'
import type { RedisServers, SentinelServers } from '../../redis/servers.ts'

const READY_MS = 20_000
/** Interval between two checks, in milliseconds. Each check is a process in a container. */
const EVERY_MS = 100
/** Number of checks that a killed server does not respond. */
const DEAD_ATTEMPTS = 20

/** Returns the lock server. Its primary is the target of every fault. */
export function lockServerOf(redis: RedisServers): LockServer {
  /** Port of the server that is killed. */
  let down: number | undefined
  let frozen: number | undefined

  async function responds(port: number): Promise<boolean> {
    const pong = await redis.exec('sh', '-c', `timeout 1 redis-cli -p ${port} ping || true`)
    return pong === 'PONG'
  }

  const server: LockServer = {
    async kill() {
      down = await redis.master()
      await redis.signal(down, 'KILL')
    },
    async proveKilled() {
      if (down === undefined) throw new Error('no Redis server was killed')
      for (let attempt = 0; attempt < DEAD_ATTEMPTS; attempt++) {
        if (!(await responds(down))) return `Redis on port ${down} does not respond after SIGKILL`
      }
      throw new Error(`Redis on port ${down} responds after SIGKILL`)
    },
    async start(signal) {
      if (down !== undefined && !(await responds(down))) await redis.restart(down)
      down = undefined
      const isBack = async (): Promise<boolean> => responds(await redis.master())
      await untilTrue('a response of Redis', isBack, { withinMs: READY_MS, everyMs: EVERY_MS, signal })
    },
    async freeze() {
      frozen = await redis.master()
      await redis.signal(frozen, 'STOP')
    },
    async proveFrozen() {
      if (frozen === undefined) throw new Error('no Redis server was stopped')
      const state = await redis.exec('sh', '-c', `grep State /proc/$(cat ${serverFolder(frozen)}/pid)/status`)
      if (!state.includes('T (stopped)')) throw new Error(`Redis on port ${frozen} did not stop: ${state}`)
      return `Redis on port ${frozen}: ${state.replaceAll(/\s+/g, ' ')}`
    },
    async thaw() {
      if (frozen !== undefined) await redis.signal(frozen, 'CONT')
      frozen = undefined
    },
    async flush() {
      const port = await redis.master()
      const before = await redis.cli(port, 'dbsize')
      const reply = await redis.cli(port, 'flushall')
      if (reply !== 'OK') throw new Error(`FLUSHALL returned ${reply}`)
      return `FLUSHALL returned OK with ${before} keys present`
    },
  }
  return isSentinel(redis) ? { ...server, failover: failoverOf(redis) } : server
}

function isSentinel(redis: RedisServers): redis is SentinelServers {
  return 'sentinels' in redis
}

function failoverOf(redis: SentinelServers): Failover {
  let before = 0
  return {
    async request() {
      const [sentinel = 0] = redis.sentinels
      before = await redis.master()
      const reply = await redis.cli(sentinel, 'sentinel', 'failover', 'ingot')
      if (reply !== 'OK') throw new Error(`SENTINEL FAILOVER returned ${reply}`)
    },
    async prove(signal) {
      const isOther = async (): Promise<boolean> => (await redis.master()) !== before
      await untilTrue('another primary', isOther, { withinMs: READY_MS, everyMs: EVERY_MS, signal })
      return `the primary was ${before} and is ${await redis.master()}`
    },
  }
}
