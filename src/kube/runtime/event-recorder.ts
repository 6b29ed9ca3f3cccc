/**
 * Events (`events.k8s.io/v1`) about objects. Equal events of one object collapse into one with a count, so a failure
 * that repeats every second does not fill etcd.
 */
import { randomUUID } from 'node:crypto'
import { reasonOf } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import { isKubeError, type KubeApi } from '../client/api.ts'
import { apiVersionOf, type KubeObject, type Resource } from '../client/resource.ts'
import { microTimeOf } from './conditions.ts'
import type { RuntimeMeasures } from './measures.ts'

export interface EventEntry {
  readonly type: 'Normal' | 'Warning'
  /** CamelCase. Events of one object with one reason collapse. */
  readonly reason: string
  /** What was done or tried, CamelCase. */
  readonly action: string
  /** A sentence, for people. */
  readonly note: string
}

export interface EventRecorder {
  /** Writes the event, or counts it on to an equal one of the last minutes. Never rejects. */
  record(resource: Resource, about: KubeObject, entry: EventEntry, signal: AbortSignal): Promise<void>
}

export interface EventDeps {
  readonly api: KubeApi
  /** Name of this process. */
  readonly instance: string
  readonly clock: Clock
  readonly log: Log
  readonly measures: RuntimeMeasures
}

const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true }
const CONTROLLER = 'ingot.dev/operator'
/** An event later than this after the last one begins a new series. */
const SERIES_MS = 6 * 60_000
/** A series is written at most so often. */
const UPDATE_MS = 10_000
/** Series remembered at most; the oldest is forgotten first. */
const MAX_SERIES = 1_000
/** The API's limit. */
const MAX_NOTE = 1_024

interface Series {
  readonly namespace: string
  readonly name: string
  count: number
  lastMs: number
  writtenMs: number
}

export function createEventRecorder({ api, instance, clock, log, measures }: EventDeps): EventRecorder {
  const known = new Map<string, Series>()

  async function begin(resource: Resource, about: KubeObject, entry: EventEntry, signal: AbortSignal): Promise<Series> {
    const { name, namespace = 'default' } = about.metadata
    const series = {
      namespace,
      name: `${name.slice(0, 200)}.${randomUUID()}`,
      count: 1,
      lastMs: clock.monotonicMs(),
      writtenMs: clock.monotonicMs(),
    }
    const event = eventOf({ ...entry, resource, about, instance, wallMs: clock.wallMs() })
    await api.create(EVENTS, { metadata: { name: series.name, namespace }, ...event }, signal)
    return series
  }

  async function goOn(series: Series, signal: AbortSignal): Promise<void> {
    series.count++
    series.lastMs = clock.monotonicMs()
    if (series.lastMs - series.writtenMs < UPDATE_MS) return
    series.writtenMs = series.lastMs
    const patch = { series: { count: series.count, lastObservedTime: microTimeOf(clock.wallMs()) } }
    await api.patch(EVENTS, series, patch, signal)
  }

  function remember(key: string, series: Series): void {
    known.delete(key)
    known.set(key, series)
    const [oldest] = known.keys()
    if (known.size > MAX_SERIES && oldest !== undefined) known.delete(oldest)
  }

  return {
    async record(resource, about, entry, signal) {
      const key = [about.metadata.uid, entry.type, entry.reason, entry.action].join('/')
      const series = known.get(key)
      const isCurrent = series !== undefined && clock.monotonicMs() - series.lastMs < SERIES_MS
      try {
        if (isCurrent) await goOn(series, signal)
        else remember(key, await begin(resource, about, entry, signal))
      } catch (cause) {
        // the API server deletes events after an hour
        if (isKubeError(cause, 'KUBE_NOT_FOUND')) known.delete(key)
        if (signal.aborted) return
        measures.eventDropped()
        log.debug({ reason: reasonOf(cause), event: entry.reason }, 'an event was not written')
      }
    },
  }
}

interface EventFacts extends EventEntry {
  readonly resource: Resource
  readonly about: KubeObject
  readonly instance: string
  readonly wallMs: number
}

function eventOf({ type, reason, action, note, resource, about, instance, wallMs }: EventFacts): object {
  const { name, namespace, uid } = about.metadata
  return {
    eventTime: microTimeOf(wallMs),
    type,
    reason,
    action,
    note: note.slice(0, MAX_NOTE),
    reportingController: CONTROLLER,
    reportingInstance: instance,
    regarding: { apiVersion: apiVersionOf(resource), kind: resource.kind, name, namespace, uid },
  }
}
