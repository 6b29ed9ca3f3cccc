/** Collects the files of a support bundle: objects, logs, metrics, and the reports of status and doctor. */
import { reasonOf } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import { isKubeObject, jsonOf, type KubeObject, pathOf } from '../../kube/client/resource.ts'
import { diagnose } from '../doctor/diagnosis.ts'
import { diagnosisText } from '../doctor/text.ts'
import { containersOf, type Facts, type NotRead, objectsOf, unreadOf, valueOr } from '../facts.ts'
import { listAt, textAt } from '../json.ts'
import { EVENTS, KINDS, SECRETS } from '../kinds.ts'
import { OPERATOR } from '../operator-presence.ts'
import { createPaint } from '../paint.ts'
import { statusReport } from '../status/judge.ts'
import { statusText } from '../status/text.ts'
import { redactedObject } from './redact.ts'
import type { Entry } from './tar.ts'

/** Lines of each container's log, newest last. */
const TAIL_LINES = 2_000
/** Bytes of each container's log. */
const LOG_BYTES = 1024 * 1024
/** Bytes of all logs. What is beyond is left out and named. */
const ALL_LOG_BYTES = 64 * 1024 * 1024
const LOG_DEADLINE_MS = 20_000

export interface Collected {
  readonly entries: readonly Entry[]
  readonly notRead: readonly NotRead[]
}

export async function collect(api: KubeApi, facts: Facts, signal: AbortSignal): Promise<Collected> {
  const notRead: NotRead[] = [...unreadOf(facts)]
  const attempt = async <T>(part: string, work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work()
    } catch (failure) {
      signal.throwIfAborted()
      notRead.push({ part, why: reasonOf(failure) })
      return otherwise
    }
  }
  const events = await attempt('events', () => eventsOf(api, facts, signal), [])
  const helm = await attempt('Helm releases', () => helmOf(api, facts, signal), [])
  const server = await attempt('version of the API server', () => bodyOf(api, '/version', signal), '')
  const operatorPods = await attempt('pods of the operator', () => operatorPodsOf(api, facts, signal), [])
  const logs = await readLogs([...objectsOf(facts, 'pods'), ...operatorPods].flatMap(logsOf), {
    read: (log) => attempt(log.path, () => bodyOf(api, log.request, signal), ''),
    tooMuch: ({ path }) => void notRead.push({ part: path, why: `the logs have more than ${ALL_LOG_BYTES} bytes` }),
  })
  const versions = server === '' ? [] : [{ path: 'server-version.json', content: server }]
  const entries = [
    ...reportsOf(facts),
    ...objectFiles(facts, events, helm),
    ...versions,
    ...metricFiles(facts),
    ...logs,
  ]
  return { entries, notRead }
}

interface LogReader {
  /** Resolves with an empty text if there is none. */
  readonly read: (log: Log) => Promise<string>
  readonly tooMuch: (log: Log) => void
}

/** One after the other, so that memory is bounded by the logs that are kept. */
async function readLogs(logs: readonly Log[], { read, tooMuch }: LogReader): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  let left = ALL_LOG_BYTES
  for (const log of logs) {
    if (left <= 0) tooMuch(log)
    else {
      const content = await read(log)
      left -= content.length
      if (content !== '') entries.push({ path: log.path, content })
    }
  }
  return entries
}

function reportsOf(facts: Facts): readonly Entry[] {
  const paint = createPaint(false)
  const [status, diagnosis] = [statusReport(facts), diagnose(facts)]
  return [
    json('status.json', status),
    { path: 'status.txt', content: statusText(status, paint) },
    json('doctor.json', diagnosis),
    { path: 'doctor.txt', content: diagnosisText(diagnosis, paint) },
  ]
}

const json = (path: string, value: unknown): Entry => ({ path, content: `${JSON.stringify(value, null, 2)}\n` })

function objectFiles(facts: Facts, events: readonly KubeObject[], helm: readonly unknown[]): readonly Entry[] {
  const lists: readonly (readonly [string, readonly KubeObject[]])[] = [
    ...Object.entries(facts.objects).map(([part, read]) => [part, valueOr(read, [])] as const),
    ['redisTopologies', valueOr(facts.topologies, []) ?? []],
    ['leases', valueOr(facts.leases, [])],
    ['operators', valueOr(facts.operators, [])],
    ['events', events],
  ]
  return [
    ...lists.map(([name, objects]) => json(`objects/${name}.json`, objects.map(redactedObject))),
    json('objects/secrets.json', secretKeys(facts)),
    json('objects/helm.json', helm),
  ]
}

/** Names of Secrets and of their keys. Values never leave the facts. */
function secretKeys({ secrets }: Facts): unknown {
  return secrets.map(({ name, secret }) => {
    const data = valueOr(secret, undefined)?.['data']
    const keys = typeof data === 'object' && data !== null ? Object.keys(data).toSorted() : []
    return { name, exists: secret.kind === 'unread' ? undefined : secret.value !== undefined, keys }
  })
}

function metricFiles({ metrics }: Facts): readonly Entry[] {
  return metrics.flatMap(({ pod, text }) =>
    text.kind === 'read' ? [{ path: `metrics/${pod}.txt`, content: text.value }] : [],
  )
}

/** Events about objects of the release, by their names. */
async function eventsOf(api: KubeApi, facts: Facts, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const reads = Object.values(facts.objects).flatMap((read) => valueOr(read, []))
  const about = [...reads, ...(valueOr(facts.topologies, []) ?? [])]
  const names = new Set(about.map(({ metadata }) => metadata.name))
  const { items } = await api.list(EVENTS, { namespace: facts.namespace }, signal)
  return items.filter((event) => names.has(textAt(event, 'involvedObject', 'name')))
}

/** Helm keeps a release in Secrets. Their labels have the revision and its status; their values are left alone. */
async function helmOf(api: KubeApi, { namespace, release }: Facts, signal: AbortSignal): Promise<readonly unknown[]> {
  const { items } = await api.list(SECRETS, { namespace, labelSelector: `owner=helm,name=${release}` }, signal)
  return items.map(({ metadata: { name, labels, creationTimestamp } }) => ({ name, labels, creationTimestamp }))
}

async function operatorPodsOf(api: KubeApi, facts: Facts, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const namespaces = new Set(valueOr(facts.leases, []).flatMap(({ metadata }) => metadata.namespace ?? []))
  const labelSelector = `app.kubernetes.io/name=${OPERATOR}`
  const lists = await Promise.all(
    [...namespaces].map((namespace) => api.list(KINDS.pods, { namespace, labelSelector }, signal)),
  )
  return lists.flatMap(({ items }) => items).filter(isKubeObject)
}

interface Log {
  readonly path: string
  readonly request: string
}

/** The log of each container, and that of the container before it if it was restarted. */
function logsOf(pod: KubeObject): readonly Log[] {
  const { namespace, name } = pod.metadata
  const statuses = listAt(pod, 'status', 'containerStatuses')
  return containersOf(pod).flatMap((container) => {
    const own = textAt(container, 'name')
    const status = statuses.find((one) => textAt(one, 'name') === own)
    const wasRestarted = textAt(status, 'lastState', 'terminated', 'reason') !== ''
    const query = `container=${encodeURIComponent(own)}&timestamps=true&tailLines=${TAIL_LINES}&limitBytes=${LOG_BYTES}`
    const request = `${pathOf(KINDS.pods, { namespace, name, subresource: 'log' })}?${query}`
    const current = { path: `logs/${name}/${own}.log`, request }
    const before = { path: `logs/${name}/${own}.previous.log`, request: `${request}&previous=true` }
    return wasRestarted ? [current, before] : [current]
  })
}

async function bodyOf({ connection }: KubeApi, path: string, signal: AbortSignal): Promise<string> {
  const { status, body } = await connection.send({ method: 'GET', path, signal, deadlineMs: LOG_DEADLINE_MS })
  if (status === 200) return body
  throw new Error(`${status} ${textAt(jsonOf(body), 'message')}`.trim())
}
