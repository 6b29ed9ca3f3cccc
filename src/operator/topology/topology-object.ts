/** A RedisTopology as the operator keeps it in memory: its spec and its status, read once. Pure. */
import type { Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { KubeObject } from '../../kube/client/resource.ts'
import { REDIS_TOPOLOGY_SPEC, REDIS_TOPOLOGY_STATUS } from '../kinds/redis-topology.ts'
import type { TopologyStatus } from './status.ts'

export type Spec = Static<typeof REDIS_TOPOLOGY_SPEC>

export interface TopologyObject extends KubeObject {
  /** The spec, or why it cannot be read: another version of the definition accepted it. */
  readonly spec: Spec | { readonly unreadable: string }
  /** Empty before the first report, and for a status of another shape. */
  readonly before: Partial<TopologyStatus>
}

const SPEC = Compile(REDIS_TOPOLOGY_SPEC)
const STATUS = Compile(REDIS_TOPOLOGY_STATUS)

export function keepTopology({ metadata, spec, status }: KubeObject): TopologyObject {
  return { metadata, spec: SPEC.Check(spec) ? spec : { unreadable: problemOf(spec) }, before: statusIn(status) }
}

function problemOf(spec: unknown): string {
  const [first] = SPEC.Errors(spec)
  return first === undefined ? 'the spec' : `${first.instancePath} ${first.message}`.trim()
}

/** The operator alone writes the status, so it has this shape. */
function statusIn(status: unknown): Partial<TopologyStatus> {
  return STATUS.Check(status) ? status : {}
}

/** Returns the StatefulSets that the topology names. */
export function setsOf({ spec }: TopologyObject): readonly string[] {
  if ('unreadable' in spec) return []
  return spec.sentinel === undefined ? [spec.statefulSet] : [spec.statefulSet, spec.sentinel.statefulSet]
}
