/** A controller: informers feed a queue with keys, and a full resync adds every key again. */
import { abortable } from '../../std/abort.ts'
import type { Clock } from '../../std/clock.ts'
import { type KubeObject, keyOf } from '../client/resource.ts'
import type { Informer } from './informer.ts'
import type { WorkQueue } from './work-queue.ts'

/** An informer whose objects lead to keys of the controller: its own kind, or what it owns or reads. */
export interface Source<T extends KubeObject = KubeObject> {
  readonly informer: Informer<T>
  /** Returns the keys to reconcile after a change of the object. Default: the object's own key. */
  readonly keysOf?: (object: T) => readonly string[]
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
  primary.onChange((key) => queue.add(key))
  for (const { informer, keysOf } of secondary) {
    informer.onChange((key, before, after) => {
      const objects = [before, after].filter((object) => object !== undefined)
      const keys = keysOf === undefined ? [key] : objects.flatMap((object) => keysOf(object))
      for (const one of new Set(keys)) queue.add(one)
    })
  }
}

/** Reconciles until the signal aborts, beginning when every informer has its first list. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { queue, primary, secondary = [], clock, resyncMs = RESYNC_MS } = options
  await abortable(Promise.all([primary.synced, ...secondary.map(({ informer }) => informer.synced)]), signal)
  const resync = async (): Promise<void> => {
    // the first lists have added every key
    while (!signal.aborted) {
      await clock.sleep(resyncMs, signal).catch(() => undefined)
      if (!signal.aborted) for (const object of primary.all()) queue.add(keyOf(object))
    }
  }
  await Promise.all([queue.run(signal), resync()])
}
