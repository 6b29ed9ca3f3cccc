/** Reads the state of each replica from its API, with a token of the release. */
import { IngotError } from '../errors/error.ts'
import type { KubeApi } from '../kube/client/api.ts'
import { jsonOf } from '../kube/client/resource.ts'
import { type Facts, livePods, objectsOf, ofComponent, type PodState, type Read } from './facts.ts'
import { listAt, textAt } from './json.ts'
import { SECRETS } from './kinds.ts'
import { attempt, portOf } from './reading.ts'

/** A pod that hangs must not delay the others for long, in milliseconds. */
const DEADLINE_MS = 3_000

export interface StateOptions {
  readonly api: KubeApi
  readonly facts: Facts
  /** Token with the right `observe`. Default: that of the release's Secret. */
  readonly token: string | undefined
  readonly signal: AbortSignal
}

/** Resolves with the states of the pods that run, or with the reason why there is no token. */
export async function readStates({ api, facts, token, signal }: StateOptions): Promise<Read<readonly PodState[]>> {
  const known = token === undefined ? await attempt(() => tokenOf(api, facts, signal), signal) : read(token)
  if (known.kind === 'unread') return known
  const headers = known.value === undefined ? {} : { authorization: `Bearer ${known.value}` }
  const running = livePods(facts, 'service').filter((pod) => textAt(pod, 'status', 'phase') === 'Running')
  const states = running.map(async (pod): Promise<PodState> => {
    const { name } = pod.metadata
    const at = { namespace: facts.namespace, pod: name, port: portOf(pod), path: '/v1/status', headers }
    const ask = async (): Promise<unknown> => {
      const { status, body } = await api.connection.askPod({ ...at, signal, deadlineMs: DEADLINE_MS })
      const answer: unknown = jsonOf(body)
      if (status === 200) return answer
      throw new Error(`${status} ${textAt(answer, 'detail')}`.trim())
    }
    return { pod: name, state: await attempt(ask, signal) }
  })
  return read(await Promise.all(states))
}

const read = <T>(value: T): Read<T> => ({ kind: 'read', value })

/** Resolves with undefined if the service has no tokens. Rejects if the Secret has no token in plain text. */
async function tokenOf(api: KubeApi, facts: Facts, signal: AbortSignal): Promise<string | undefined> {
  const [deployment] = ofComponent(objectsOf(facts, 'deployments'), 'service')
  const volumes = listAt(deployment, 'spec', 'template', 'spec', 'volumes')
  const name = textAt(
    volumes.find((one) => textAt(one, 'name') === 'tokens'),
    'secret',
    'secretName',
  )
  if (name === '') return undefined
  const secret = await api.get(SECRETS, { namespace: facts.namespace, name }, signal)
  const token = Buffer.from(textAt(secret, 'data', 'token'), 'base64').toString()
  if (token !== '') return token
  throw new IngotError('KUBE_NOT_FOUND', `the Secret "${name}" has no "token"; name a file with --token-file`)
}
