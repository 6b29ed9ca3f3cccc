/** A drill in the runner's pod: Redis, the store and the service are reached directly, with the rights of its account. */
import { readFileSync } from 'node:fs'
import type { KubeApi } from '../../kube/client/api.ts'
import { createWorkloads } from '../../kube/workloads.ts'
import { parseRedisUrl } from '../../redis/redis-url.ts'
import { createPodHome } from '../targets/pod/pod-home.ts'
import { createDirectView, type DirectView } from '../targets/redis/direct-view.ts'
import { createBystanders } from './bystanders.ts'
import { operatorContext } from './operator-pods.ts'
import type { DrillLog } from './progress.ts'
import type { Drill, DrillDeps } from './state.ts'

export interface PodOptions {
  readonly api: KubeApi
  readonly namespace: string
  readonly drill: Drill
  readonly log: DrillLog
  readonly version: string
  readonly say: (line: string) => void
  /** Folder that the containers of the pod share. */
  readonly folder: string
  readonly storeUrl: string | undefined
  readonly lockUrl: string | undefined
  readonly redisPassword: string | undefined
  readonly clusterDomain: string
  readonly token: string | undefined
}

/** User of the runner in Redis and Sentinel. */
const USER = 'drill'

export function podDeps(options: PodOptions): DrillDeps & { readonly redis: DirectView } {
  const { api, namespace, drill, log, version, say, folder, token, storeUrl } = options
  const workloads = createWorkloads({ api, namespace, release: drill.spec.target.release })
  return {
    workloads,
    redis: createDirectView(viewOptions(options)),
    home: createPodHome({ folder, token, storeUrl }),
    bystanders: createBystanders(workloads, async ({ ip, port }, signal) => {
      const host = ip.includes(':') ? `[${ip}]` : ip
      const response = await fetch(`http://${host}:${port}/metrics`, { signal })
      if (!response.ok) throw new Error(`the metrics of ${ip}: ${response.status}`)
      return response.text()
    }),
    operator: (release, signal) => operatorContext(api, release, signal),
    log,
    version,
    say,
  }
}

function viewOptions({ lockUrl, redisPassword: password, namespace, clusterDomain }: PodOptions) {
  const topology = lockUrl === undefined ? undefined : parseRedisUrl(lockUrl)
  const ca = topology?.tls?.ca
  return {
    credentials: password === undefined ? {} : { user: USER, password },
    caPem: ca === undefined ? undefined : readFileSync(ca, 'utf8'),
    isCluster: topology?.kind === 'cluster',
    domain: `.${namespace}.svc.${clusterDomain}`,
    masterName: topology?.kind === 'sentinel' ? topology.masterName : 'ingot',
  }
}
