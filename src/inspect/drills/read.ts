/** Reads drills and their reports from the cluster. */
import type { DrillReport } from '../../drill/report/model.ts'
import { HTML_FILE, JSON_FILE } from '../../drill/report/run/files.ts'
import { parseReport } from '../../drill/report/run/json.ts'
import { createBucketReportStore } from '../../drill/report/store/bucket.ts'
import { createConfigMapReportStore } from '../../drill/report/store/config-map.ts'
import type { ReportStore } from '../../drill/report/store/store.ts'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import { IngotError } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import type { Clock } from '../../std/clock.ts'
import { textAt } from '../json.ts'
import { SECRETS } from '../kinds.ts'
import { type DrillView, drillView, isFinished, newestFirst, storeOf } from './drill.ts'

export interface DrillPlace {
  readonly api: KubeApi
  readonly namespace: string
  readonly clock: Clock
}

/** Resolves with the drills of the namespace, the newest first. */
export async function readDrills({ api, namespace }: DrillPlace, signal: AbortSignal): Promise<readonly DrillView[]> {
  const { items } = await api.list(FAILOVER_DRILLS, { namespace }, signal)
  return newestFirst(items.map(drillView))
}

/** Resolves with the FailoverDrill. Rejects with DRILL_NOT_FOUND. */
export async function readDrill(
  { api, namespace }: DrillPlace,
  name: string,
  signal: AbortSignal,
): Promise<KubeObject> {
  const found = await api.get(FAILOVER_DRILLS, { namespace, name }, signal)
  if (found !== undefined) return found
  throw new IngotError('DRILL_NOT_FOUND', `there is no FailoverDrill "${name}" in namespace ${namespace}`)
}

export interface ReadReport {
  readonly report: DrillReport
  /** The page as it was stored. Undefined if only the data were stored. */
  readonly html: string | undefined
}

/**
 * Resolves with the report of a finished drill. Rejects with DRILL_NOT_FOUND, DRILL_NOT_FINISHED, DRILL_WITHOUT_REPORT, and
 * with the errors of the store.
 */
export async function readReport(place: DrillPlace, name: string, signal: AbortSignal): Promise<ReadReport> {
  const object = await readDrill(place, name, signal)
  const view = drillView(object)
  if (view.report === '' && !isFinished(view)) {
    throw new IngotError(
      'DRILL_NOT_FINISHED',
      `drill "${name}" is in phase ${view.phase || 'Pending'} and has no report yet`,
    )
  }
  const store = await openStore(place, object, view, signal)
  const stored = await store.load(name, signal)
  const json = stored?.files[JSON_FILE]
  if (json === undefined) throw withoutReport(`the report of drill "${name}" is not in its store`)
  return { report: parseReport(json, JSON_FILE), html: stored?.files[HTML_FILE] }
}

async function openStore(
  { api, namespace, clock }: DrillPlace,
  object: KubeObject,
  { name, report, message }: DrillView,
  signal: AbortSignal,
): Promise<ReportStore> {
  const place = storeOf(object)
  switch (place.kind) {
    case 'ConfigMap':
      if (report === '') throw withoutReport(`drill "${name}" ended without a report: ${message}`)
      return createConfigMapReportStore({ api, namespace })
    case 'Claim':
      throw withoutReport(
        `the report is the file ${report} on the volume of the claim ${place.claim}: copy it from a pod`,
      )
    case 'Bucket': {
      const secret = await api.get(SECRETS, { namespace, name: place.secret }, signal)
      const value = (key: string): string =>
        Buffer.from(textAt(secret, 'data', key), 'base64')
          .toString()
          .trim()
      const credentials = { accessKeyId: value('accessKeyId'), secretAccessKey: value('secretAccessKey') }
      if (credentials.accessKeyId === '' || credentials.secretAccessKey === '') {
        throw withoutReport(
          `Secret ${place.secret} needs the keys accessKeyId and secretAccessKey; the report is ${report}`,
        )
      }
      return createBucketReportStore({ ...place, ...credentials, clock })
    }
    default:
      return place satisfies never
  }
}

function withoutReport(message: string): IngotError {
  return new IngotError('DRILL_WITHOUT_REPORT', message)
}
