/** Actions on workloads, nodes and foreign objects. */
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { isKubeError } from '../../kube/client/api.ts'
import { isKubeObject, type Resource } from '../../kube/client/resource.ts'
import { untilSeen } from '../../kube/until.ts'
import { containerOf, type Workload } from '../../kube/workloads.ts'
import { parseDurationMs } from '../../std/duration.ts'
import { placed } from '../faults/node-freeze.ts'
import { proveGone } from '../faults/pods.ts'
import { rolledOut } from '../faults/rollout.ts'
import { type DrillContext, observe } from '../targets/kubernetes/context.ts'
import { post } from '../undo.ts'
import { type Action, Refusal } from './action.ts'
import { evictAll } from './pods.ts'

const EXTERNAL_MS = 300_000
const EFFECT_MS = 120_000
const CALL_MS = 20_000

async function workloadsOf(context: DrillContext, component: string, signal: AbortSignal): Promise<Workload> {
  const found = (await context.workloads.workloads(signal)).find((one) => one.component === component)
  if (found === undefined) throw new Refusal(`the release has no Deployment or StatefulSet of component ${component}`)
  return found
}

/** Restarts the pods of a component, or changes their image and changes it back. */
export const rollout: Action = async ({ context, fault, before }, signal) => {
  const component = fault.target?.component ?? 'service'
  const workload = await workloadsOf(context, component, signal)
  const { kind, name } = workload
  const container = containerOf(workload)
  const image = fault.image
  const args = { kind, name, container: String(container['name']), image: String(container['image']) }
  const old = before.pods.filter((pod) => pod.component === component)
  return {
    isHeld: image !== undefined,
    undo: image === undefined ? [] : [{ kind: 'SetImage', args }],
    async inject(inner) {
      await context.workloads.roll(workload, image, inner)
    },
    async prove(inner) {
      await rolledOut(context, [workload], inner)
      // the controller does not wait until the old pods have drained
      const now = (await context.workloads.pods(inner)).filter(({ leaving }) => !leaving)
      const left = new Set(now.map(({ uid }) => uid))
      const stayed = old.filter(({ uid }) => left.has(uid)).map((pod) => pod.name)
      if (stayed.length > 0) throw new Error(`not replaced: ${stayed.join(', ')}`)
      return `${kind} ${name}: all ${old.length} pods were replaced${image === undefined ? '' : `, with image ${image}`}`
    },
  }
}

/** Changes the number of pods, and changes it back. */
export const scale: Action = async ({ context, fault }, signal) => {
  const component = fault.target?.component ?? 'service'
  const workload = await workloadsOf(context, component, signal)
  const { kind, name, replicas } = workload
  const wanted = fault.replicas ?? replicas
  if (wanted === replicas) throw new Refusal(`${kind} ${name} has ${replicas} pods already`)
  return {
    isHeld: true,
    undo: [{ kind: 'SetReplicas', args: { kind, name, replicas: String(replicas) } }],
    inject: (inner) => context.workloads.scale(workload, wanted, inner),
    prove: (inner) =>
      untilSeen(
        async () => {
          const pods = (await context.workloads.pods(inner)).filter(
            (pod) => pod.component === component && !pod.leaving,
          )
          const ready = pods.filter((pod) => pod.ready).length
          return pods.length === wanted && ready === wanted
            ? { value: `${kind} ${name} has ${wanted} pods instead of ${replicas}` }
            : { missing: `${wanted} ready pods of ${name}: there are ${ready} of ${pods.length}` }
        },
        EFFECT_MS,
        inner,
      ),
  }
}

/** Cordons the nodes of the pods, and evicts the pods of the release from them. */
export const drain: Action = async ({ context, before, victims }, signal) => {
  const { workloads } = context
  const nodes = [...new Set(victims.map(({ node }) => node))].filter((node) => node !== '')
  const leaving = before.pods.filter(({ node }) => nodes.includes(node))
  await workloads.nodes(signal).catch((failure: unknown) => {
    if (!isKubeError(failure, 'KUBE_FORBIDDEN')) throw failure
    throw new Refusal('the runner may not read nodes: set drills.nodes in the chart, or start the drill from a shell')
  })
  return {
    isHeld: true,
    undo: nodes.map((node) => ({ kind: 'Uncordon', args: { node } })),
    async inject(inner) {
      for (const node of nodes) await workloads.cordon(node, true, inner)
      await evictAll(context, leaving, inner)
    },
    async prove(inner) {
      const cordoned = (await workloads.nodes(inner)).filter((node) => node.cordoned).map(({ name }) => name)
      if (!nodes.every((node) => cordoned.includes(node))) throw new Error(`not cordoned: ${nodes.join(', ')}`)
      return `${nodes.join(', ')} cordoned; ${await proveGone(context, before, leaving, inner)}`
    },
  }
}

const options = (signal: AbortSignal) => ({ signal, timeoutMs: CALL_MS })

/** Waits for a failure from outside: a node that is lost, or a webhook that causes it. */
export const external: Action = async ({ context, fault, victims }, signal) => {
  const { node: named, webhook, timeout } = fault.external ?? {}
  const withinMs = parseDurationMs(timeout ?? '') ?? EXTERNAL_MS
  if (webhook !== undefined) return byWebhook(context, { name: fault.name, webhook, withinMs })
  const node = named ?? (await nodeToLose(context, victims, signal))
  const { machines, say } = context
  return {
    isHeld: machines !== undefined,
    undo: machines === undefined ? [] : [{ kind: 'Thaw', args: { node } }],
    async inject(inner) {
      if (machines !== undefined) return machines.freeze(node, options(inner))
      say(`waiting until ${node} is NotReady: stop it now`)
    },
    prove: (inner) => proveNotReady(context, { node, withinMs }, inner),
  }
}

/** Where machines can be frozen, first moves a primary to a node that holds nothing else that the drill needs. */
async function nodeToLose(context: DrillContext, victims: readonly { readonly node: string }[], signal: AbortSignal) {
  if (context.machines !== undefined) return (await placed(context, signal)).node
  const [first] = victims
  if (first === undefined) throw new Refusal('there is no pod, so there is no node')
  const { node } = first
  const pods = await context.workloads.pods(signal)
  const runner = pods.find((pod) => pod.component === 'drill' && pod.ready && pod.node === node)
  if (runner !== undefined) {
    throw new Refusal(
      `${runner.name}, which carries out the drill, is itself on ${node}: cordon ${node} before the drill starts`,
    )
  }
  return node
}

interface Lost {
  readonly node: string
  readonly withinMs: number
}

function proveNotReady({ workloads }: DrillContext, { node, withinMs }: Lost, signal: AbortSignal): Promise<string> {
  return untilSeen(
    async () => {
      const nodes = await workloads.nodes(signal).catch((failure: unknown) => {
        if (!isKubeError(failure, 'KUBE_FORBIDDEN')) return undefined
        throw new Refusal(
          'the runner may not read nodes: set drills.nodes in the chart, or start the drill from a shell',
        )
      })
      const isLost = nodes !== undefined && !nodes.some(({ name, ready }) => name === node && ready)
      return isLost ? { value: `${node} is NotReady` } : { missing: `node ${node} NotReady: stop it from outside` }
    },
    withinMs,
    signal,
  )
}

interface Hook {
  readonly name: string
  readonly webhook: string
  readonly withinMs: number
}

function byWebhook(context: DrillContext, { name, webhook, withinMs }: Hook) {
  const body = (phase: string): string => JSON.stringify({ fault: name, phase })
  return {
    isHeld: true,
    undo: [{ kind: 'Webhook' as const, args: { url: webhook, body: body('undo') } }],
    inject: (signal: AbortSignal) => post(webhook, body('inject'), signal),
    prove: (signal: AbortSignal) => proveHarm(context, withinMs, signal),
  }
}

/** Resolves with the first problem of the release: a foreign fault is proven by its effect. */
function proveHarm(context: DrillContext, withinMs: number, signal: AbortSignal): Promise<string> {
  return untilSeen(
    async () => {
      const { problems } = await observe(context, signal)
      return problems.length > 0 ? { value: problems.join('; ') } : { missing: 'an effect on the release' }
    },
    withinMs,
    signal,
  )
}

const NAMED = Type.Object({
  apiVersion: Type.String({ minLength: 1 }),
  kind: Type.String({ minLength: 1 }),
  metadata: Type.Object({ name: Type.String({ minLength: 1 }) }),
})

/** Creates a foreign object, such as one of a chaos tool, and deletes it to undo the fault. */
export const manifest: Action = async ({ context, fault }, signal) => {
  const { api, namespace } = context.workloads
  const object = fault.manifest
  if (!Value.Check(NAMED, object) || !isKubeObject(object)) {
    throw new Refusal('the manifest needs apiVersion, kind and metadata.name')
  }
  const [version = '', group = ''] = object.apiVersion.split('/').toReversed()
  const resource = await resourceFor({ group, version, kind: object.kind }, context, signal)
  const { name } = object.metadata
  const args = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    plural: resource.plural,
    namespaced: String(resource.namespaced),
    name,
  }
  return {
    isHeld: true,
    undo: [{ kind: 'DeleteObject', args }],
    async inject(inner) {
      const metadata = { ...object.metadata, ...(resource.namespaced ? { namespace } : {}) }
      await api.create(resource, { ...object, metadata }, inner)
    },
    prove: (inner) => proveHarm(context, EFFECT_MS, inner),
  }
}

const RESOURCES = Type.Object({
  resources: Type.Array(Type.Object({ name: Type.String(), kind: Type.String(), namespaced: Type.Boolean() })),
})

/** Finds the plural of a kind by the discovery of the API. */
async function resourceFor(
  { group, version, kind }: Pick<Resource, 'group' | 'version' | 'kind'>,
  { workloads }: DrillContext,
  signal: AbortSignal,
): Promise<Resource> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const { body } = await workloads.api.connection.send({ method: 'GET', path, signal })
  const document: unknown = JSON.parse(body)
  const found = Value.Check(RESOURCES, document)
    ? document.resources.find((one) => one.kind === kind && !one.name.includes('/'))
    : undefined
  if (found === undefined)
    throw new Refusal(`the cluster has no kind ${kind} in ${group || 'the core group'}/${version}`)
  return { group, version, kind, plural: found.name, namespaced: found.namespaced }
}
