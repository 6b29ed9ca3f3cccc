/** The Lease that reserves a release for one drill, from the operator or from a shell. Pure. */
import type { Lease } from '../../kube/runtime/leadership-term.ts'

/** A holder renews the Lease within so long, in seconds. */
export const TARGET_LEASE_S = 60

export function leaseNameOf(release: string): string {
  return `ingot-drill-${release}`
}

/** Returns the name in the Lease; undefined if it is free. */
export function namedHolder({ spec }: Lease): string | undefined {
  const holder = spec?.holderIdentity ?? ''
  return holder === '' ? undefined : holder
}

/** Returns the holder that has renewed the Lease in time; undefined if there is none. */
export function holderOf(lease: Lease, nowMs: number): string | undefined {
  const { renewTime, leaseDurationSeconds } = lease.spec ?? {}
  const renewedMs = Date.parse(renewTime ?? '') || 0
  return nowMs < renewedMs + (leaseDurationSeconds ?? TARGET_LEASE_S) * 1_000 ? namedHolder(lease) : undefined
}
