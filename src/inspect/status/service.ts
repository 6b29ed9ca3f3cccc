/** The parts of the report about the service and its store. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { defined } from '../../std/defined.ts'
import { type Facts, isReady, livePods, mainContainer, objectsOf, ofComponent, valueOr } from '../facts.ts'
import { at, listAt, numberAt, textAt, textsAt } from '../json.ts'
import { ingotSamples, type Sample } from '../prometheus-text.ts'
import type { Service, ServicePod, Store } from './report.ts'

export function serviceDeployment(facts: Facts): KubeObject | undefined {
  return ofComponent(objectsOf(facts, 'deployments'), 'service')[0]
}

export function serviceOf(facts: Facts): Service {
  const pods = livePods(facts, 'service').map((pod) => podOf(facts, pod))
  return {
    wanted: numberAt(serviceDeployment(facts), 'spec', 'replicas') ?? 0,
    ready: pods.filter(({ ready }) => ready).length,
    pods,
  }
}

function podOf({ metrics, states }: Facts, pod: KubeObject): ServicePod {
  const { name } = pod.metadata
  const text = metrics.find((one) => one.pod === name)?.text
  const state = valueOr(states, []).find((one) => one.pod === name)?.state
  return {
    pod: name,
    ready: isReady(pod),
    version: versionOf(textAt(mainContainer(pod), 'image')),
    restarts: listAt(pod, 'status', 'containerStatuses').reduce<number>(
      (sum, one) => sum + (numberAt(one, 'restartCount') ?? 0),
      0,
    ),
    ...(text?.kind === 'read' ? measuredOf(ingotSamples(text.value)) : {}),
    ...(state?.kind === 'read' ? stateOf(state.value) : {}),
  }
}

/** Returns the tag of an image, or its digest. */
export function versionOf(image: string): string {
  const [name = '', digest] = image.split('@')
  return digest ?? /:([^/:]+)$/.exec(name)?.[1] ?? 'latest'
}

const STATES = ['open', 'half-open', 'closed'] as const

/** A pod may have several breakers, one for each lock backend: the worst counts. */
function measuredOf(samples: readonly Sample[]): Pick<ServicePod, 'breaker' | 'pendingItems'> {
  const breakers = samples.filter(({ name, value }) => name === 'ingot_lock_breaker_state' && value === 1)
  const breaker = STATES.find((state) => breakers.some(({ labels }) => labels['state'] === state))
  const pending = samples.find(({ name }) => name === 'ingot_pending_items')?.value
  return { breaker: breaker ?? 'none', ...(pending === undefined ? {} : { pendingItems: pending }) }
}

/** Returns what a response to `GET /v1/status` says. A field that an older replica lacks is absent. */
function stateOf(status: unknown): Partial<ServicePod> {
  const breaker = STATES.find((state) => textAt(status, 'breakers', 'locks') === state)
  const state = (['serving', 'leaving', 'draining'] as const).find((one) => textAt(status, 'state') === one)
  const epoch = textAt(status, 'store', 'epoch') || undefined
  const available = at(status, 'store', 'available')
  return defined({
    breaker: breaker ?? 'none',
    state,
    epoch,
    storeAvailable: typeof available === 'boolean' ? available : undefined,
    pendingItems: numberAt(status, 'pending', 'items'),
    locksHeld: numberAt(status, 'locks', 'heldCount'),
    locksWaiting: numberAt(status, 'locks', 'waitingCount'),
  })
}

export function storeOf(facts: Facts): Store {
  const container = serviceDeployment(facts)
  const variable = listAt(mainContainer(container ?? { metadata: { name: '' } }), 'env').find(
    (one) => textAt(one, 'name') === 'INGOT_STORE_URL',
  )
  const postgres = livePods(facts, 'postgres')[0]
  if (textAt(variable, 'valueFrom', 'secretKeyRef', 'name') !== '') return { kind: 'external-postgres' }
  const url = textAt(variable, 'value') || configuredStore(facts)
  if (url === '') return { kind: container === undefined ? 'unknown' : 'sqlite' }
  const address = url.replace(/^\w+:\/\//, '').replace(/^[^/@]*@/, '')
  if (!url.startsWith('postgres')) return { kind: 'http', address: withoutQuery(address) }
  return { kind: 'postgres', address: withoutQuery(address), ready: postgres !== undefined && isReady(postgres) }
}

const withoutQuery = (address: string): string => address.split(/[?#]/)[0] ?? ''

/** Returns the URL of an http store, which is in the configuration file. */
function configuredStore(facts: Facts): string {
  const maps = ofComponent(objectsOf(facts, 'configMaps'), 'service')
  const texts = maps.map((map) => textsAt(map, 'data')['config.json'] ?? '')
  return texts.map((text) => /"storeUrl"\s*:\s*"([^"]+)"/.exec(text)?.[1] ?? '').find((url) => url !== '') ?? ''
}
