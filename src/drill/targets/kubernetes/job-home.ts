/** A drill from a shell: k6 and the canary run as Jobs beside the service, and the store is read through the API server. */
import { Type } from 'typebox'
import type { Kubectl } from '../../../kube/kubectl.ts'
import type { Store } from '../../plan.ts'
import { dropCollection } from '../drop-collection.ts'
import type { DrillHome } from '../home.ts'
import { startCanary } from './canary.ts'
import { startLoad } from './load.ts'
import { readStore } from './store-read.ts'

export interface JobHomeOptions {
  readonly kubectl: Kubectl
  readonly release: string
  /** Full name of the release, with which the names of its objects begin. */
  readonly name: string
  /** Image of ingot. */
  readonly image: string
  readonly k6Image?: string | undefined
  /** Host and port of the service in the cluster. */
  readonly service: string
  readonly hasRedis: boolean
  readonly store: Store
  /** Node of the Jobs. Default: any. */
  readonly node?: string | undefined
  readonly tokenSecret?: string | undefined
}

export function createJobHome(options: JobHomeOptions): DrillHome {
  const { kubectl, release, name, image, k6Image, service, hasRedis, store, node, tokenSecret } = options
  return {
    startLoad: (load, signal) =>
      startLoad(kubectl, { ...load, release, image, k6Image, service, node, tokenSecret }, signal),
    startCanary: async (signal) =>
      hasRedis ? startCanary(kubectl, { release, deployment: name, image, node }, signal) : undefined,
    readStore: (collection, signal) => readStore({ kubectl, store, name }, collection, signal),
    async dropCollection(collection, signal) {
      const token = await tokenOf(kubectl, tokenSecret, signal)
      using forward = await kubectl.forward(`service/${name}`, SERVICE_PORT, signal)
      await dropCollection(`http://127.0.0.1:${forward.port}`, { collection, token }, signal)
    },
  }
}

/** Port of the Service of the chart. */
const SERVICE_PORT = 80
const SECRET = Type.Object({ data: Type.Object({ token: Type.String() }) })

async function tokenOf(kubectl: Kubectl, secret: string | undefined, signal: AbortSignal): Promise<string | undefined> {
  if (secret === undefined) return undefined
  const { data } = await kubectl.read(SECRET, ['get', 'secret', secret], { signal })
  return Buffer.from(data.token, 'base64').toString()
}
