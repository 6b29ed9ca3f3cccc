/** The Redis servers of a test as something that faults can strike. */
import type { LockServer } from '../../../drill/faults/fault.ts'
import { type Attempt, until, untilTrue } from '../../../std/until.ts'
import { serverFolder } from '../../redis/container.ts'
import type { RedisServers } from '../../redis/servers.ts'

const READY_MS = 20_000
/** Each look is a process in a container. */
const EVERY_MS = 100

export function lockServerOf(redis: RedisServers): LockServer {
  let struck = 0

  async function answers(port: number): Promise<boolean> {
    const pong = await redis.exec('sh', '-c', `timeout 1 redis-cli -p ${port} ping || true`)
    return pong === 'PONG'
  }
  async function untilDead(port: number): Promise<string> {
    for (let attempt = 0; attempt < 20; attempt++) {
      if (!(await answers(port))) return `Redis on port ${port} does not answer after SIGKILL`
    }
    throw new Error(`Redis on port ${port} answers after SIGKILL`)
  }

  const server: LockServer = {
    async kill() {
      struck = await redis.master()
      await redis.signal(struck, 'KILL')
      return untilDead(struck)
    },
    async start(signal) {
      await redis.restart(struck)
      const isBack = async (): Promise<boolean> => answers(await redis.master())
      await untilTrue('an answer of Redis', isBack, { withinMs: READY_MS, everyMs: EVERY_MS, signal })
    },
    async freeze() {
      struck = await redis.master()
      await redis.signal(struck, 'STOP')
      const state = await redis.exec('sh', '-c', `grep State /proc/$(cat ${serverFolder(struck)}/pid)/status`)
      if (!state.includes('T (stopped)')) throw new Error(`Redis on port ${struck} did not stop: ${state}`)
      return `Redis on port ${struck}: ${state.replaceAll(/\s+/g, ' ')}`
    },
    thaw: () => redis.signal(struck, 'CONT'),
    async flush() {
      const port = await redis.master()
      const before = await redis.cli(port, 'dbsize')
      const answer = await redis.cli(port, 'flushall')
      if (answer !== 'OK') throw new Error(`FLUSHALL answered ${answer}`)
      return `FLUSHALL answered OK with ${before} keys there`
    },
  }
  return redis.url.startsWith('redis+sentinel:') ? { ...server, failover: (signal) => failOver(redis, signal) } : server
}

async function failOver(redis: RedisServers, signal: AbortSignal): Promise<string> {
  const before = await redis.master()
  const sentinel = /\/\/[\d.]+:(\d+)/.exec(redis.url)?.[1] ?? ''
  const answer = await redis.cli(Number(sentinel), 'sentinel', 'failover', 'ingot')
  if (answer !== 'OK') throw new Error(`SENTINEL FAILOVER answered ${answer}`)
  const look = async (): Promise<Attempt<number>> => {
    const master = await redis.master()
    return master === before ? { missing: `the master is still ${before}` } : { value: master }
  }
  const after = await until(look, { withinMs: READY_MS, everyMs: EVERY_MS, signal })
  return `the master was ${before} and is ${after}`
}
