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
  /** Secret that spec.load.token names. Default: the one of the chart, if there is one. */
  readonly tokenSecret?: string | undefined
}

export function createJobHome(options: JobHomeOptions): DrillHome {
  const { kubectl, release, name, image, k6Image, service, hasRedis, store, node } = options
  let found: Promise<TokenSource | undefined> | undefined
  const token = (signal: AbortSignal) => (found ??= tokenSource(options, signal))
  return {
    async startLoad(load, signal) {
      return startLoad(kubectl, { ...load, release, image, k6Image, service, node, token: await token(signal) }, signal)
    },
    startCanary: async (signal) =>
      hasRedis ? startCanary(kubectl, { release, deployment: name, image, node }, signal) : undefined,
    readStore: (collection, signal) => readStore({ kubectl, store, name }, collection, signal),
    async dropCollection(collection, signal) {
      const source = await token(signal)
      const text = source === undefined ? undefined : await readToken(kubectl, source, signal)
      using forward = await kubectl.forward(`service/${name}`, SERVICE_PORT, signal)
      await dropCollection(`http://127.0.0.1:${forward.port}`, { collection, token: text }, signal)
    },
  }
}

/** Port of the Service of the chart. */
const SERVICE_PORT = 80
const SECRETS = Type.Object({
  items: Type.Array(Type.Object({ data: Type.Optional(Type.Record(Type.String(), Type.String())) })),
})

/** A token in a Secret. */
export interface TokenSource {
  readonly name: string
  readonly key: string
}

/** Resolves with the named Secret, or with that of the chart; undefined if the release has no tokens. */
async function tokenSource(
  { kubectl, name, tokenSecret }: JobHomeOptions,
  signal: AbortSignal,
): Promise<TokenSource | undefined> {
  if (tokenSecret !== undefined) return { name: tokenSecret, key: 'token' }
  const secret = `${name}-token`
  const data = await secretData(kubectl, secret, signal)
  const key = ['drill-token', 'token'].find((one) => data?.[one] !== undefined)
  return key === undefined ? undefined : { name: secret, key }
}

async function readToken(kubectl: Kubectl, { name, key }: TokenSource, signal: AbortSignal): Promise<string> {
  return Buffer.from((await secretData(kubectl, name, signal))?.[key] ?? '', 'base64').toString()
}

async function secretData(kubectl: Kubectl, name: string, signal: AbortSignal) {
  const args = ['get', 'secrets', '--field-selector', `metadata.name=${name}`]
  return (await kubectl.read(SECRETS, args, { signal })).items[0]?.data
}
