/** Fills the primaries of Redis with values that expire, so that a synchronization takes long. */
import { primariesOf } from '../../redis/topology/roles.ts'
import { type DrillContext, waitUntilHealthy } from '../targets/kubernetes/context.ts'

const VALUE_BYTES = 1_000_000
const TTL_S = 1_800
const CALL_MS = 20_000

/** Writes `megabytes` to each primary. They expire after half an hour. */
export async function fillRedis(context: DrillContext, megabytes: number, signal: AbortSignal): Promise<void> {
  if (megabytes === 0) return
  const { pods, roles } = await waitUntilHealthy(context, signal)
  for (const { pod: name } of primariesOf(roles)) {
    const pod = pods.find((one) => one.name === name)
    if (pod === undefined) continue
    for (let index = 0; index < megabytes; index++) {
      // a script makes the value in the server, so that it need not be sent; in a cluster each server takes its own slots
      const script = `redis.call('SET', KEYS[1], string.rep('x', ${VALUE_BYTES}), 'EX', ${TTL_S})`
      const key = `ingot:drill:bulk:${index}`
      const words = ['EVAL', script, '1', key]
      await context.redis.command(pod, words, { signal, timeoutMs: CALL_MS }).catch((failure: unknown) => {
        signal.throwIfAborted()
        // the slot of this key is another server's
        if (!/MOVED/.test(String(failure))) throw failure
      })
    }
  }
}
