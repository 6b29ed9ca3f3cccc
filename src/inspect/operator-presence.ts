/** Whether an operator is at work, by its Lease. Pure. */
import type { KubeObject } from '../kube/client/resource.ts'
import type { Facts } from './facts.ts'
import { numberAt, textAt, timeAt } from './json.ts'

/** The Lease of the operator, and its label and Deployment name. */
export const OPERATOR = 'ingot-operator'

export type OperatorPresence =
  | { readonly kind: 'leading'; readonly namespace: string; readonly holder: string }
  /** The Lease is not renewed. */
  | { readonly kind: 'stale'; readonly namespace: string; readonly ageMs: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly why: string }

/** client-go's default, in seconds. */
const LEASE_S = 15

export function operatorPresence({ leases, nowMs }: Pick<Facts, 'leases' | 'nowMs'>): OperatorPresence {
  if (leases.kind === 'unread') return { kind: 'unknown', why: leases.why }
  const seen = leases.value.map((lease) => presenceOf(lease, nowMs))
  return seen.find(({ kind }) => kind === 'leading') ?? seen[0] ?? { kind: 'absent' }
}

export function presenceOf(lease: KubeObject, nowMs: number): OperatorPresence {
  const namespace = lease.metadata.namespace ?? ''
  const holder = textAt(lease, 'spec', 'holderIdentity')
  const ageMs = nowMs - (timeAt(lease, 'spec', 'renewTime') ?? 0)
  const isFresh = ageMs <= (numberAt(lease, 'spec', 'leaseDurationSeconds') ?? LEASE_S) * 1_000
  return holder !== '' && isFresh ? { kind: 'leading', namespace, holder } : { kind: 'stale', namespace, ageMs }
}
