/** All actions by name. */
import type { ActionName } from '../spec/schema.ts'
import type { Action } from './action.ts'
import { drain, external, manifest, rollout, scale } from './changes.ts'
import { crash, deletePods, evictPods, killAtOnce, killInPlace } from './pods.ts'
import { partition, pause, stall } from './stops.ts'

export const ACTION: Readonly<Record<ActionName, Action>> = {
  Delete: deletePods,
  Evict: evictPods,
  Kill: killAtOnce,
  KillInPlace: killInPlace,
  Pause: pause,
  Crash: crash,
  Stall: stall,
  Partition: partition,
  Drain: drain,
  Rollout: rollout,
  Scale: scale,
  External: external,
  Manifest: manifest,
}
