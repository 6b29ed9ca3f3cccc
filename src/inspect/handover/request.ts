/** The request for a hand-over, and what became of it. Pure. The operator carries it out. */
import { IngotError } from '../../errors/error.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import type { Facts } from '../facts.ts'
import { isTrueAt, listAt, numberAt, textAt } from '../json.ts'
import { operatorPresence } from '../operator-presence.ts'
import { topologyOf } from '../topology.ts'

/** The annotation of a RedisTopology with the request: `ID` or `ID/POD`. */
export const HANDOVER_ANNOTATION = 'ingot.dev/handover'

export interface HandoverRequest {
  /** Eight hex digits, new for each request. */
  readonly id: string
  /** The server that becomes primary. Undefined: the operator chooses. */
  readonly pod: string | undefined
}

export function annotationOf({ id, pod }: HandoverRequest): string {
  return pod === undefined ? id : `${id}/${pod}`
}

/** The report of `handover`, as `-o json` prints it. */
export interface HandoverReport {
  readonly kind: 'IngotHandover'
  readonly version: 1
  readonly namespace: string
  readonly release: string
  readonly topology: string
  readonly request: string
  readonly outcome: 'Done' | 'Refused' | 'TimedOut'
  readonly message: string
  /** From the last failover that the operator reports, if it is newer than the request. */
  readonly from?: string
  readonly to?: string
  readonly writeGapMs?: number
}

/**
 * Returns the RedisTopology that can be asked for a hand-over. Throws TOPOLOGY_NOT_FOUND, OPERATOR_NOT_LEADING,
 * HANDOVER_NOT_ALLOWED and HANDOVER_POD_UNKNOWN.
 */
export function requireHandover(facts: Facts, pod: string | undefined): KubeObject {
  const topology = topologyOf(facts)
  if (topology === undefined) throw notFound(facts)
  requireOperator(facts)
  requirePolicy(topology)
  const pods = listAt(topology, 'status', 'servers').map((server) => textAt(server, 'pod'))
  if (pod !== undefined && !pods.includes(pod)) {
    throw new IngotError('HANDOVER_POD_UNKNOWN', `"${pod}" is no Redis server of ${facts.release}: ${pods.join(', ')}`)
  }
  return topology
}

function notFound({ topologies, release }: Facts): IngotError {
  const why =
    topologies.kind === 'unread'
      ? `the RedisTopology cannot be read: ${topologies.why}`
      : topologies.value === undefined
        ? 'the kind RedisTopology is not installed, so there is no operator'
        : `the release ${release} has no RedisTopology`
  return new IngotError('TOPOLOGY_NOT_FOUND', `${why}; without an operator, a pod hands over when it is deleted`)
}

function requireOperator(facts: Facts): void {
  const presence = operatorPresence(facts)
  // the request itself will show whether an operator is there
  if (presence.kind === 'leading' || presence.kind === 'unknown') return
  const why =
    presence.kind === 'absent'
      ? 'there is no operator: no Lease ingot-operator'
      : `the operator of ${presence.namespace} does not renew its Lease`
  throw new IngotError('OPERATOR_NOT_LEADING', `no operator can carry out the hand-over: ${why}`)
}

function requirePolicy(topology: KubeObject): void {
  const { name } = topology.metadata
  const refuse = (why: string): never => {
    throw new IngotError('HANDOVER_NOT_ALLOWED', `RedisTopology ${name} ${why}`)
  }
  if (isTrueAt(topology, 'spec', 'paused')) refuse('is paused: set paused to false')
  if (textAt(topology, 'spec', 'policy') === 'Observe') refuse('has policy Observe: set it to Heal')
  if (textAt(topology, 'spec', 'mode') === 'Standalone') refuse('is a single server: there is no replica to take over')
}

export type HandoverState =
  | { readonly kind: 'waiting'; readonly phase: 'Requested' | 'Running' }
  | { readonly kind: 'ended'; readonly outcome: 'Done' | 'Refused'; readonly message: string }

/** Returns what the operator has made of the request. A status about another request counts as none. */
export function handoverState(topology: KubeObject | undefined, { id }: HandoverRequest): HandoverState {
  const at = ['status', 'handover'] as const
  if (textAt(topology, ...at, 'request') !== id) return { kind: 'waiting', phase: 'Requested' }
  const phase = textAt(topology, ...at, 'phase')
  if (phase !== 'Done' && phase !== 'Refused') return { kind: 'waiting', phase: 'Running' }
  return { kind: 'ended', outcome: phase, message: textAt(topology, ...at, 'message') }
}

/** Returns the last failover if it is another one than before the request. */
export function newFailover(
  topology: KubeObject | undefined,
  before: KubeObject,
): Pick<HandoverReport, 'from' | 'to' | 'writeGapMs'> | undefined {
  if (keyOf(topology) === keyOf(before)) return undefined
  const writeGapMs = numberAt(topology, 'status', 'lastFailover', 'writeGapMs')
  return {
    from: textAt(topology, 'status', 'lastFailover', 'from'),
    to: textAt(topology, 'status', 'lastFailover', 'to'),
    ...(writeGapMs === undefined ? {} : { writeGapMs }),
  }
}

function keyOf(topology: KubeObject | undefined): string {
  return ['at', 'from', 'to'].map((field) => textAt(topology, 'status', 'lastFailover', field)).join(' ')
}
