/**
 * What this process has seen of the objects, by its monotonic clock. A lease has ended for this process when it has seen
 * the same version for the whole length of the lease. So no wall clocks are compared, as in client-go's leader election.
 */
import type { KubeObject } from '../../../kube/client/resource.ts'
import type { Clock } from '../../../std/clock.ts'
import { holderOf, ttlMsOf, versionOf } from './lease-object.ts'

export interface Observations {
  /** Records the object, and returns the remaining milliseconds of its lease: 0 if it has ended or the key is free. */
  see(object: KubeObject): number
  /** Returns the object if its key is free, so that a claim needs no read. */
  free(name: string): KubeObject | undefined
  forget(name: string): void
}

/** Objects remembered at most. A forgotten lease is observed anew, which takes its length. */
const MAX_SEEN = 10_000

interface Seen {
  readonly object: KubeObject
  readonly sinceMs: number
}

export function createObservations(clock: Clock): Observations {
  const seen = new Map<string, Seen>()

  function remember(name: string, entry: Seen): void {
    seen.set(name, entry)
    const [oldest] = seen.keys()
    if (seen.size > MAX_SEEN && oldest !== undefined) seen.delete(oldest)
  }

  return {
    see(object) {
      const { name } = object.metadata
      const now = clock.monotonicMs()
      const known = seen.get(name)
      const isSame = known !== undefined && versionOf(known.object) === versionOf(object)
      const entry = isSame ? known : { object, sinceMs: now }
      seen.delete(name)
      remember(name, entry)
      return holderOf(object) === undefined ? 0 : Math.max(0, entry.sinceMs + ttlMsOf(object) - now)
    },
    free(name) {
      const object = seen.get(name)?.object
      return object !== undefined && holderOf(object) === undefined ? object : undefined
    },
    forget: (name) => void seen.delete(name),
  }
}
