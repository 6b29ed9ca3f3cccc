/** Opens the store of reports that the spec of a drill names. */
import type { DrillSettings } from '../../config/drill.ts'
import { createBucketReportStore } from '../../drill/report/store/bucket.ts'
import { createConfigMapReportStore } from '../../drill/report/store/config-map.ts'
import { createFolderReportStore } from '../../drill/report/store/folder.ts'
import type { ReportStore } from '../../drill/report/store/store.ts'
import type { DrillSpec } from '../../drill/spec/schema.ts'
import { IngotError } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { OwnerReference } from '../../kube/client/resource.ts'
import { systemClock } from '../../std/clock.ts'

export interface ReportStoreOptions {
  readonly spec: DrillSpec
  readonly api: KubeApi
  readonly namespace: string
  readonly owner: OwnerReference
  readonly settings: DrillSettings
}

/** Mount of the claim. */
const CLAIM = '/report'

/** Throws CONFIG_INVALID if the credentials of a bucket are missing. */
export function reportStoreOf({ spec, api, namespace, owner, settings }: ReportStoreOptions): ReportStore {
  const { store = 'ConfigMap', bucket } = spec.report ?? {}
  switch (store) {
    case 'ConfigMap':
      return createConfigMapReportStore({ api, namespace, owner })
    case 'Claim':
      return createFolderReportStore(CLAIM)
    case 'Bucket': {
      const { bucketKeyId: accessKeyId, bucketSecret: secretAccessKey } = settings
      if (bucket === undefined || accessKeyId === undefined || secretAccessKey === undefined) {
        throw new IngotError('CONFIG_INVALID', 'the store Bucket needs spec.report.bucket and the keys of its Secret')
      }
      return createBucketReportStore({
        url: bucket.url,
        region: bucket.region,
        accessKeyId,
        secretAccessKey,
        clock: systemClock,
      })
    }
    default:
      return store satisfies never
  }
}
