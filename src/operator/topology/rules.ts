/** What a reconcile derives from its observation: events, which servers are calm, and which changes matter. Pure. */
import type { Condition } from '../../kube/runtime/conditions.ts'
import type { EventEntry } from '../../kube/runtime/event-recorder.ts'
import type { Failover } from './failovers.ts'
import type { Seen } from './observe.ts'
import { describe, type Plan } from './plan.ts'
import type { Progress, TopologyStatus } from './status.ts'

/** In a healthy topology only the primaries are polled every time: their loss must be noticed first. */
export function calmPods(
  { conditions, primaries }: TopologyStatus,
  { view: { servers, sentinels } }: Seen,
  { actions }: Plan,
): ReadonlySet<string> {
  const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  if (!isReady || actions.length > 0) return new Set()
  const calm = new Set([...servers, ...sentinels].map(({ pod }) => pod))
  for (const { pod } of primaries) calm.delete(pod)
  return calm
}

export function progressOf({ actions, refusals }: Plan, failover: Failover | undefined): Progress {
  const [first] = actions
  return { failover, refusals, repair: first && { reason: first.kind, message: describe(first) } }
}

export function failoverEvent({ from, to, planned, writeGapMs, reason }: Failover): EventEntry {
  const note = `${to} is primary instead of ${from} (${reason}); ${writeGapMs} ms without a primary that responds`
  return planned
    ? { type: 'Normal', reason: 'HandedOver', action: 'Observe', note }
    : { type: 'Warning', reason: 'FailedOver', action: 'Observe', note }
}

export function readyEvent({ status, reason, message }: Condition): EventEntry {
  return { type: status === 'True' ? 'Normal' : 'Warning', reason, action: 'Observe', note: message }
}

export function withoutOffsets(status: Partial<TopologyStatus>): object {
  return { ...status, servers: status.servers?.map(({ offset: _offset, lagBytes: _lag, ...rest }) => rest) }
}
