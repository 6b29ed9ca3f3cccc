/** A controller: informers feed a queue with keys, and a full resync adds every key again. */
import { abortable } from '../../std/abort.ts'
import type { Clock } from '../../std/clock.ts'
import { type KubeObject, keyOf } from '../client/resource.ts'
import type { Informer } from './informer.ts'
import type { WorkQueue } from './work-queue.ts'

/** A kind whose changes lead to keys of the controller, because it owns or reads its objects. */
export interface Source {
  readonly synced: Promise<void>
  /** Calls `add` with the keys to reconcile, for each change. */
  connect(add: (key: string) => void): void
}

/** `keysOf` returns the keys to reconcile after a change of the object; it sees the object before and after it. */
export function sourceOf<T extends KubeObject>(
  informer: Informer<T>,
  keysOf: (object: T) => readonly string[],
): Source {
  return {
    synced: informer.synced,
    connect(add) {
      informer.onChange((_key, before, after) => {
        const objects = [before, after].filter((object) => object !== undefined)
        for (const key of new Set(objects.flatMap(keysOf))) add(key)
      })
    },
  }
}

export interface ControllerOptions {
  readonly queue: WorkQueue
  /** The kind that is reconciled. */
  readonly primary: Informer<KubeObject>
  /** Kinds whose changes matter to it. */
  readonly secondary?: readonly Source[]
  readonly clock: Clock
  /** Every key is reconciled again after so long, in milliseconds. Default: 60000. */
  readonly resyncMs?: number
}

const RESYNC_MS = 60_000

/** Connects the informers to the queue. To be called before the informers run. */
export function connectSources({ queue, primary, secondary = [] }: ControllerOptions): void {
  const add = (key: string): void => queue.add(key)
  primary.onChange(add)
  for (const source of secondary) source.connect(add)
}

/** Reconciles until the signal aborts, beginning when every informer has its first list. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { queue, primary, secondary = [], clock, resyncMs = RESYNC_MS } = options
  await abortable(Promise.all([primary.synced, ...secondary.map(({ synced }) => synced)]), signal)
  const resync = async (): Promise<void> => {
    // the first lists have added every key
    while (!signal.aborted) {
      await clock.sleep(resyncMs, signal).catch(() => undefined)
      if (!signal.aborted) for (const object of primary.all()) queue.add(keyOf(object))
    }
  }
  await Promise.all([queue.run(signal), resync()])
}
