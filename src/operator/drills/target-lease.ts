/** One drill at a time on a release: a Lease in its namespace, held in the name of the drill's UID. */

import { holderOf, leaseNameOf, namedHolder, TARGET_LEASE_S } from '../../drill/spec/target-lease.ts'
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

export function createTargetLeases({ api, clock, isRunning }: LeaseDeps): TargetLeases {
  const read = ({ namespace, release }: Target, signal: AbortSignal): Promise<Lease | undefined> =>
    api.get(LEASES, { namespace, name: leaseNameOf(release) }, signal)

  const specOf = (uid: string) => {
    const now = microTimeOf(clock.wallMs())
    return { holderIdentity: uid, leaseDurationSeconds: TARGET_LEASE_S, acquireTime: now, renewTime: now }
  }

  function isHeld(lease: Lease): boolean {
    const holder = namedHolder(lease)
    return (holder !== undefined && isRunning(holder)) || holderOf(lease, clock.wallMs()) !== undefined
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
