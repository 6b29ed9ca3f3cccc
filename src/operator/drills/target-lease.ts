/** One drill at a time on a release: a Lease in its namespace, held in the name of the drill's UID. */

import { isKubeError, type KubeApi } from '../../kube/client/api.ts'
import { microTimeOf } from '../../kube/runtime/conditions.ts'
import { LEASES, type Lease } from '../../kube/runtime/leadership-term.ts'
import type { Clock } from '../../std/clock.ts'

export interface Target {
  readonly namespace: string
  readonly release: string
}

export interface TargetLeases {
  /** Resolves with undefined when the drill holds the target, else with the holder: the UID of a drill, or another name. */
  take(target: Target, uid: string, signal: AbortSignal): Promise<string | undefined>
  /** Frees the target if the drill holds it, and resolves with true then. */
  free(target: Target, uid: string, signal: AbortSignal): Promise<boolean>
}

export interface LeaseDeps {
  readonly api: KubeApi
  readonly clock: Clock
  /** Returns true for the UID of a drill that has not finished. */
  readonly isRunning: (uid: string) => boolean
}

/** A holder that is no drill, such as a drill from a shell, renews within so long, in seconds. */
const DURATION_S = 60

export function leaseNameOf(release: string): string {
  return `ingot-drill-${release}`
}

export function createTargetLeases({ api, clock, isRunning }: LeaseDeps): TargetLeases {
  const read = ({ namespace, release }: Target, signal: AbortSignal): Promise<Lease | undefined> =>
    api.get(LEASES, { namespace, name: leaseNameOf(release) }, signal)

  const specOf = (uid: string) => {
    const now = microTimeOf(clock.wallMs())
    return { holderIdentity: uid, leaseDurationSeconds: DURATION_S, acquireTime: now, renewTime: now }
  }

  function isHeld({ spec: { holderIdentity, renewTime, leaseDurationSeconds } = {} }: Lease): boolean {
    if (holderIdentity === undefined || holderIdentity === null || holderIdentity === '') return false
    if (isRunning(holderIdentity)) return true
    const renewedMs = Date.parse(renewTime ?? '') || 0
    return clock.wallMs() < renewedMs + (leaseDurationSeconds ?? DURATION_S) * 1_000
  }

  return {
    async take(target, uid, signal) {
      const { namespace, release } = target
      const lease = await read(target, signal)
      if (lease === undefined) {
        await api.create(LEASES, { metadata: { namespace, name: leaseNameOf(release) }, spec: specOf(uid) }, signal)
        return undefined
      }
      const holder = lease.spec?.holderIdentity ?? ''
      if (holder === uid) return undefined
      if (isHeld(lease)) return holder
      // the version of the Lease: another holder would conflict
      await api.replace(LEASES, { ...lease, spec: specOf(uid) }, signal)
      return undefined
    },
    async free(target, uid, signal) {
      const lease = await read(target, signal)
      if (lease?.spec?.holderIdentity !== uid) return false
      try {
        await api.replace(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: '' } }, signal)
      } catch (cause) {
        if (!isKubeError(cause, 'KUBE_CONFLICT')) throw cause
      }
      return true
    },
  }
}
