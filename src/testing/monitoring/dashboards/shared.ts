/** Variables and annotations that several dashboards use. */
import type { Annotation, Variable } from './model.ts'

/** The replicas of the release that the variables select. */
export const RELEASE = 'namespace="$namespace",job="$job"'

/** Namespace and job of a release. The chart sets both to those of its release. */
export const RELEASE_VARIABLES: readonly Variable[] = [
  { name: 'namespace', label: 'Namespace', query: 'label_values(ingot_build_info, namespace)' },
  { name: 'job', label: 'Release', query: 'label_values(ingot_build_info{namespace="$namespace"}, job)' },
]

/** Marks the moments in which a server became primary that was none a minute before. */
export function roleChanges(selector: string): Annotation {
  const now = `max by (namespace, topology, shard, pod) (ingot_redis_primary_info{${selector}})`
  const before = `max by (namespace, topology, shard, pod) (ingot_redis_primary_info{${selector}} offset 1m)`
  // without a status before, the operator has just started
  const known = `max by (namespace, topology) (ingot_redis_condition{${selector}} offset 1m)`
  return {
    name: 'Role changes',
    expr: `(${now} unless ${before}) and on (namespace, topology) ${known}`,
    title: '{{pod}} is primary ({{topology}}, shard {{shard}})',
    color: 'orange',
  }
}

/** Marks the times in which drills run. */
export function drills(selector: string): Annotation {
  return {
    name: 'Drills',
    expr: `max by (namespace, drill) (ingot_drill_running{${selector}}) == 1`,
    title: 'drill {{drill}}',
    color: 'purple',
  }
}
