/**
 * Counts failed requests of other clients: those that the replicas count in their metrics, without those of the load. A
 * request that never reached a replica is in no metric.
 */
import { ofComponent } from '../../kube/pods.ts'
import type { Workloads } from '../../kube/workloads.ts'

export interface Bystanders {
  /** Resolves with the failed requests of all clients since the start, as far as the replicas have counted them. */
  failed(signal: AbortSignal): Promise<number>
}

const READ_MS = 3_000
/** Reads the metrics of a pod. Rejects if it does not respond. */
export type ReadMetrics = (
  pod: { readonly name: string; readonly ip: string; readonly port: number },
  signal: AbortSignal,
) => Promise<string>

/** Returns a counter that starts at the first call. A counter of a replica begins again at 0 when its container restarts. */
export function createBystanders(workloads: Workloads, read: ReadMetrics): Bystanders {
  const seen = new Map<string, number>()
  let total = 0
  let isFirst = true
  return {
    async failed(signal) {
      const pods = ofComponent(await workloads.pods(signal), 'service').filter(({ ip }) => ip !== '')
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(READ_MS)])
      await Promise.all(
        pods.map(async ({ name, uid, ip, restarts, httpPort = 8_080 }) => {
          const text = await read({ name, ip, port: httpPort }, bounded).catch(() => undefined)
          signal.throwIfAborted()
          if (text === undefined) return
          const key = `${uid}/${restarts}`
          const count = failedIn(text)
          total += isFirst ? 0 : count - (seen.get(key) ?? 0)
          seen.set(key, count)
        }),
      )
      isFirst = false
      return total
    },
  }
}

/** Returns the requests that ended with 429 or 5xx, from metrics in the text format of Prometheus. */
export function failedIn(text: string): number {
  return text
    .split('\n')
    .filter((line) => /^ingot_http_requests_total\{[^}]*status="(429|5\d\d)"/.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
