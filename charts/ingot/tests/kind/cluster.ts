/** A release on the kind cluster for the tests of Redis: install, write, break, inspect, remove. */
import { join } from 'node:path'
import { kindClusterOf } from '../../../../src/drill/targets/kind/cluster.ts'
import { createDocker } from '../../../../src/drill/targets/kind/docker.ts'
import { chartShell, readRoles, readSentinelViews } from '../../../../src/drill/targets/redis/shell-view.ts'
import { listAt } from '../../../../src/inspect/json.ts'
import { isKubeObject } from '../../../../src/kube/client/resource.ts'
import { createKubectl } from '../../../../src/kube/kubectl.ts'
import { ofComponent, type Pod, podsOf as parsePods } from '../../../../src/kube/pods.ts'
import type { TopologyStatus } from '../../../../src/operator/topology/status.ts'
import { parseInfo } from '../../../../src/redis/topology/info.ts'
import { problemsOf, type ServerRole } from '../../../../src/redis/topology/roles.ts'
import { type CallOptions, createProgram, type Program } from '../../../../src/std/run-program.ts'
import { untilTrue } from '../../../../src/std/until.ts'
import { CHART } from '../helm.ts'

export const NAMESPACE = process.env['KIND_NAMESPACE'] ?? 'ingot-redis-test'
export const RELEASE = 'ingot'
export const CONTEXT = process.env['KIND_CONTEXT'] ?? 'kind-ingot'
export const LABELS = { 'app.kubernetes.io/name': 'ingot', 'app.kubernetes.io/instance': RELEASE }

// the tests delete pods and stop processes, so they refuse every context that is not of kind
kindClusterOf(CONTEXT)
const cluster = createKubectl(CONTEXT, NAMESPACE)
const helmIn = (namespace: string): Program => {
  const options = ['--kube-context', CONTEXT, '--namespace', namespace]
  return createProgram('helm', 'install helm 4 or 3, and put it on the PATH', options)
}
const runHelm = helmIn(NAMESPACE)
const docker = createDocker()

const within = (seconds: number): CallOptions => {
  const timeoutMs = seconds * 1_000
  return { signal: AbortSignal.timeout(timeoutMs), timeoutMs }
}

/** Runs kubectl. Resolves with its output, without white space at its ends. */
export async function kubectl(args: readonly string[], seconds = 60): Promise<string> {
  return (await cluster.run(args, within(seconds))).trim()
}

const helm = (args: readonly string[], seconds = 120): Promise<string> => runHelm(args, within(seconds))

/** Checks once a second until the condition holds. A check that fails counts as one that does not hold. */
export async function eventually(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
  await untilTrue(what, holds, { withinMs: seconds * 1_000, everyMs: 1_000 })
}

// --- the release -----------------------------------------------------------------------------------------------------

export type Values = Readonly<Record<string, string | number | boolean>>

export const IMAGE_TAG = process.env['KIND_IMAGE_TAG'] ?? 'dev'
const FIXED: Values = { 'image.tag': IMAGE_TAG, 'service.replicas': 1, 'lock.mode': 'always' }

function valueArgs(values: Values): string[] {
  return Object.entries({ ...FIXED, ...values }).flatMap(([name, value]) => ['--set', `${name}=${value}`])
}

async function readPods(): Promise<readonly Pod[]> {
  const list: unknown = JSON.parse(await kubectl(['get', 'pods', '--output', 'json']))
  return parsePods(listAt(list, 'items').filter(isKubeObject))
}

export async function prepareNamespace(): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } }], within(60))
}

/** Creates or changes an object in the namespace of the tests. */
export async function createObject(object: object): Promise<void> {
  await cluster.apply([object], within(60))
}

export async function install(values: Values): Promise<void> {
  await helm(['install', RELEASE, CHART, ...valueArgs(values)])
  await everythingReady(300)
}

export async function upgrade(values: Values): Promise<void> {
  await helm(['upgrade', RELEASE, CHART, ...valueArgs(values)])
}

export async function remove(): Promise<void> {
  await kubectl(['delete', 'pod', 'writer', 'locker', '--ignore-not-found', '--grace-period=1'])
  await helm(['uninstall', RELEASE, '--ignore-not-found', '--wait', '--timeout=120s'], 180)
  await kubectl(['delete', 'pvc,secret', '--all', '--timeout=100s'], 120)
}

/** Resolves when all pods of the StatefulSets and Deployments are ready and up to date. */
export async function everythingReady(seconds: number): Promise<void> {
  const names = await kubectl(['get', 'statefulset,deployment', '--output=name'])
  const end = Date.now() + seconds * 1_000
  for (const name of names.split('\n')) {
    const left = Math.max(1, Math.round((end - Date.now()) / 1_000))
    await kubectl(['rollout', 'status', name, `--timeout=${left}s`], left + 10)
  }
}

// --- the operator ----------------------------------------------------------------------------------------------------

const OPERATOR_NAMESPACE = 'ingot-system'
const operatorCluster = createKubectl(CONTEXT, OPERATOR_NAMESPACE)
const operatorHelm = helmIn(OPERATOR_NAMESPACE)

/** Installs the operator, and resolves when both pods are ready. */
export async function installOperator(): Promise<void> {
  const chart = join(CHART, '..', 'ingot-operator')
  const args = [
    'upgrade',
    '--install',
    'ingot-operator',
    chart,
    '--create-namespace',
    '--set',
    `image.tag=${IMAGE_TAG}`,
  ]
  await operatorHelm([...args, '--wait', '--timeout=180s'], within(200))
}

/** Removes the operator with its definitions, and so every object of its kinds. */
export async function removeOperator(): Promise<void> {
  await operatorHelm(['uninstall', 'ingot-operator', '--ignore-not-found', '--wait', '--timeout=120s'], within(150))
  const kinds = ['redistopologies', 'failoverdrills', 'drillschedules'].map((plural) => `${plural}.ingot.dev`)
  await operatorCluster.run(['delete', 'crd', ...kinds, '--ignore-not-found'], within(60))
}

/** Creates or changes an object in the namespace of the operator. */
export async function createOperatorObject(object: object): Promise<void> {
  await operatorCluster.apply([object], within(60))
}

/** Runs kubectl in the namespace of the operator. Resolves with its output, without white space at its ends. */
export async function operatorKubectl(args: readonly string[], seconds = 60): Promise<string> {
  return (await operatorCluster.run(args, within(seconds))).trim()
}

/** Resolves with the pod that leads, by the Lease. */
export async function operatorLeader(): Promise<string> {
  const holder = await operatorKubectl(['get', 'lease', 'ingot-operator', '--output=jsonpath={.spec.holderIdentity}'])
  return holder.split('_')[0] ?? ''
}

/** Sends a signal to the operator's process in a pod, from its node. */
export async function signalOperator(pod: string, name: 'STOP' | 'CONT'): Promise<void> {
  const path = '--output=jsonpath={.spec.nodeName} {.metadata.uid}'
  const [node = '', uid = ''] = (await operatorKubectl(['get', 'pod', pod, path])).split(' ')
  await signalIn(node, uid, 'node|MainThread', name)
}

const plugin = createProgram(process.execPath, 'run the tests with the Node that ingot installs', [
  join(CHART, '..', '..', 'src', 'kubectl-ingot.ts'),
])

/** Runs `kubectl ingot handover`. Rejects unless it was done. */
export async function requestHandover(): Promise<void> {
  await plugin(['handover', '--context', CONTEXT, '--namespace', NAMESPACE], within(90))
}

/** Resolves with the RedisTopology of the release. */
export async function topologyOf(): Promise<{ readonly status?: Partial<TopologyStatus> }> {
  const text = await kubectl(['get', 'redistopology', `${RELEASE}-redis`, '--output=json'])
  return JSON.parse(text) as { readonly status?: Partial<TopologyStatus> }
}

/** Resolves with the UID of each pod of the release. */
export async function podUids(): Promise<Readonly<Record<string, string>>> {
  const pods = await readPods()
  const own = pods.filter(
    ({ component, name }) => component !== 'drill' && name !== 'writer' && !name.startsWith('outside'),
  )
  return Object.fromEntries(own.map(({ name, uid }) => [name, uid]))
}

/** Resolves with the value of the label `ingot.dev/role` of each Redis pod. */
export async function roleLabels(): Promise<Readonly<Record<string, string>>> {
  const path = 'jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.ingot\\.dev/role}{"\\n"}{end}'
  const args = ['get', 'pods', '--selector', 'app.kubernetes.io/component=redis', '--output', path]
  const lines = (await kubectl(args)).split('\n').map((line) => line.split(' '))
  return Object.fromEntries(lines.map(([name = '', role = '']) => [name, role]))
}

// --- pods ------------------------------------------------------------------------------------------------------------

const podsIn = async (component: string): Promise<readonly Pod[]> => ofComponent(await readPods(), component)

/** Resolves with the names of the component's pods. */
export async function podsOf(component: string): Promise<string[]> {
  return (await podsIn(component)).map(({ name }) => name)
}

/** Runs a script with the chart's shell functions (files/redis/lib.sh) in a pod. */
export async function inPod(pod: string, script: string): Promise<string> {
  return (await chartShell(cluster, pod, script, within(20))).trim()
}

/** Resolves with the roles of all Redis servers. A server that does not respond is left out. */
export async function rolesOf(): Promise<readonly ServerRole[]> {
  return readRoles(cluster, await podsIn('redis'), within(20))
}

export async function roleOf(pod: string): Promise<ServerRole | undefined> {
  const [role] = await readRoles(cluster, [{ name: pod }], within(20))
  return role
}

/** Resolves with the one pod that is primary. Rejects if there is another number of them. */
export async function thePrimary(): Promise<string> {
  const [primary, ...others] = (await rolesOf()).filter(({ role }) => role === 'primary').map(({ pod }) => pod)
  if (primary === undefined || others.length > 0)
    throw new Error(`primaries: ${[primary ?? 'none', ...others].join(', ')}`)
  return primary
}

/** Why Redis under Sentinel is not healthy. Empty if it is. */
export async function sentinelProblems(sentinels: number): Promise<readonly string[]> {
  const [servers, watchers] = [await podsIn('redis'), await podsIn('sentinel')]
  const roles = await readRoles(cluster, servers, within(20))
  const named = await readSentinelViews(cluster, watchers, within(20))
  const missing = named.length === sentinels ? [] : [`${named.length} of ${sentinels} Sentinels`]
  return [...missing, ...problemsOf({ mode: 'sentinel', pods: servers.length }, roles, named)]
}

/** Why Redis Cluster with six servers is not healthy. Empty if it is. */
export async function clusterProblems(): Promise<readonly string[]> {
  const servers = await podsIn('redis')
  const known = await Promise.all(servers.map(({ name }) => inPod(name, 'local_cli CLUSTER INFO')))
  const strangers = known.map((text) => parseInfo(text).get('cluster_known_nodes')).filter((count) => count !== '6')
  const roles = await readRoles(cluster, servers, within(20))
  return [
    ...strangers.map((count) => `a server knows ${count} servers`),
    ...problemsOf({ mode: 'cluster', pods: 6 }, roles, []),
  ]
}

async function podNamed(name: string): Promise<Pod> {
  const pod = (await readPods()).find((one) => one.name === name)
  if (pod === undefined) throw new Error(`there is no pod ${name}`)
  return pod
}

/** Waits until a pod of that name exists that has another UID. */
export async function replaced(pod: string, uid: string): Promise<void> {
  await eventually(`${pod} is a new pod`, 60, async () => (await podNamed(pod)).uid !== uid)
}

export async function deletePod(pod: string, how: 'gracefully' | 'by force'): Promise<void> {
  const { uid } = await podNamed(pod)
  await kubectl(['delete', 'pod', pod, ...(how === 'by force' ? ['--force', '--grace-period=0'] : [])], 120)
  await replaced(pod, uid)
}

export async function deleteAll(components: readonly string[]): Promise<void> {
  const selector = `app.kubernetes.io/component in (${components.join(',')})`
  await kubectl(['delete', 'pods', '-l', selector, '--force', '--grace-period=0'], 120)
}

/** Sends a signal to the server of a pod from its node, so that no preStop hook runs. */
export async function signal(pod: string, name: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
  const { node, uid } = await podNamed(pod)
  await signalIn(node, uid, 'redis-server|valkey-server', name)
}

/** Signals the processes of a pod whose command matches a pattern of `case`. */
async function signalIn(node: string, uid: string, commands: string, name: string): Promise<void> {
  const find = `for p in /proc/[0-9]*; do grep -q "pod${uid.replaceAll('-', '.')}" $p/cgroup 2>/dev/null || continue
    case $(cat $p/comm) in ${commands}) kill -${name} "\${p#/proc/}" && echo sent;; esac; done`
  const sent = await docker(['exec', node, 'sh', '-c', find], within(30))
  if (sent === '') throw new Error(`no ${commands} found on ${node} in the pod with the UID ${uid}`)
}
