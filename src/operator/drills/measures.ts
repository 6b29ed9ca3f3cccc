/** Metrics about drills and schedules: of those that exist, read from the caches of the leader at each scrape. */
import type { Metrics } from '../../telemetry/metrics.ts'
import type { DrillObject } from './drill-object.ts'
import type { ScheduleObject } from './schedule-object.ts'

export interface DrillSource {
  readonly drills: { all(): readonly DrillObject[] }
  readonly schedules: { all(): readonly ScheduleObject[] }
}

export interface DrillMeasures {
  /** Shows the objects of the source until the returned function is called. */
  show(source: DrillSource): () => void
}

/** Shows nothing. */
export const unmeasuredDrills: DrillMeasures = { show: () => () => {} }

type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }

/** Registers the `ingot_drill_*` metrics. Throws on a second call with the same registry. */
export function createDrillMeasures(metrics: Metrics): DrillMeasures {
  let shown: DrillSource | undefined
  measureDrills(metrics, () => shown)
  const passed = {
    name: 'ingot_drill_last_passed_timestamp_seconds',
    help: 'When a drill of a schedule last passed, in seconds since the Unix epoch; 0 if none has.',
    labels: ['namespace', 'schedule'],
  } as const
  metrics.gaugesOf(passed, () =>
    (shown?.schedules.all() ?? []).map(({ metadata: { namespace = '', name: schedule }, status: { lastPassed } }) => ({
      labels: { namespace, schedule },
      value: lastPassed === undefined ? 0 : Date.parse(lastPassed.at) / 1_000,
    })),
  )
  return {
    show(source) {
      shown = source
      return () => {
        if (shown === source) shown = undefined
      }
    },
  }
}

/** Registers the gauges of each drill. */
function measureDrills(metrics: Metrics, shown: () => DrillSource | undefined): void {
  const ofDrills = (
    name: `ingot_drill_${string}`,
    help: string,
    labels: readonly string[],
    sampleOf: (drill: DrillObject) => Sample | undefined,
  ): void => {
    const all = (): readonly Sample[] =>
      (shown()?.drills.all() ?? []).flatMap((drill) => {
        const sample = sampleOf(drill)
        const { namespace = '', name: drillName } = drill.metadata
        return sample === undefined ? [] : [{ ...sample, labels: { namespace, drill: drillName, ...sample.labels } }]
      })
    metrics.gaugesOf({ name, help, labels: ['namespace', 'drill', ...labels] }, all)
  }
  ofDrills('ingot_drill_running', '1 while a drill runs, else 0.', [], ({ status: { phase = 'Pending' } }) => ({
    labels: {},
    value: phase === 'Pending' || phase === 'Finished' ? 0 : 1,
  }))
  ofDrills('ingot_drill_verdict', '1 for the verdict of each drill that finished.', ['verdict'], ({ status }) =>
    status.verdict === undefined ? undefined : { labels: { verdict: status.verdict }, value: 1 },
  )
  ofDrills('ingot_drill_lost_items', 'Acknowledged items that a drill lost.', [], ({ status: { summary } }) =>
    summary?.lost === undefined ? undefined : { labels: {}, value: summary.lost },
  )
  ofDrills(
    'ingot_drill_canary_lost_writes',
    'Writes of the canary that Redis acknowledged and lost in a drill.',
    [],
    ({ status: { summary } }) =>
      summary?.redisLost === undefined ? undefined : { labels: {}, value: summary.redisLost },
  )
  ofDrills(
    'ingot_drill_canary_double_grants',
    'Times at which Redis had granted a lock of the canary to two holders in a drill.',
    [],
    ({ status: { summary } }) =>
      summary?.doubleGrants === undefined ? undefined : { labels: {}, value: summary.doubleGrants },
  )
  ofDrills(
    'ingot_drill_unavailable_seconds',
    'Longest time without an acknowledged write in a drill, in seconds.',
    [],
    ({ status: { summary } }) =>
      summary === undefined ? undefined : { labels: {}, value: summary.secondsWithoutWrite },
  )
}
