/** Waits until the replicas serve again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningReplica } from './replica.ts'

export interface ReadinessOptions {
  /** Timeout for all of them together, in milliseconds. */
  readonly ms: number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Resolves when all replicas are ready or the time is over. Reports a replica that is not ready; the recovery checker
 * judges it.
 */
export async function untilReady(
  replicas: readonly RunningReplica[],
  { ms, say, signal }: ReadinessOptions,
): Promise<void> {
  const endMs = performance.now() + ms
  for (const replica of replicas) {
    while (!(await isReady(replica.url))) {
      signal.throwIfAborted()
      if (performance.now() > endMs) {
        return say(`${replica.name} was not ready within ${ms} ms: ${replica.stderr().slice(-2_000)}`)
      }
      await sleep(50)
    }
  }
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
  return response?.ok === true
}
