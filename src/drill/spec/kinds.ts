/** The custom resources of drills, and where the API serves them. */
import type { Resource } from '../../kube/client/resource.ts'

const API = { group: 'ingot.dev', version: 'v1alpha1', namespaced: true } as const

export const FAILOVER_DRILLS: Resource = { ...API, kind: 'FailoverDrill', plural: 'failoverdrills' }
export const DRILL_SCHEDULES: Resource = { ...API, kind: 'DrillSchedule', plural: 'drillschedules' }
