/** A Prometheus in the namespace of the release. Its targets and rules are those that the charts render. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { createProgram } from '../../../../src/std/run-program.ts'
import { CHART, readManifests } from '../helm.ts'
import { CONTEXT, createObject, createOperatorObject, eventually, kubectl, NAMESPACE, RELEASE } from './cluster.ts'

const IMAGE = 'prom/prometheus:v2.53.3'
const NAME = 'prometheus'
const PORT = 9090
const OPERATOR = { namespace: 'ingot-system', release: 'ingot-operator' }

export interface FiredAlert {
  readonly name: string
  readonly severity: string
}

export interface Prometheus {
  /** Alerts that fired within the last `seconds`, each once, by name. */
  firedWithin(seconds: number): Promise<readonly FiredAlert[]>
  /** Names of the alerts that fire now. */
  firing(): Promise<readonly string[]>
}

/** Installs Prometheus, and resolves when it has scraped the service and the operator. `timeScale`: see values.yaml. */
export async function installPrometheus(timeScale: number): Promise<Prometheus> {
  const loaded = createProgram('kind', 'install kind, and put it on the PATH')
  const bounds = { signal: AbortSignal.timeout(300_000), timeoutMs: 300_000 }
  await loaded(['load', 'docker-image', IMAGE, '--name', CONTEXT.replace(/^kind-/, '')], bounds)
  const [ours, operators] = [rendered(CHART, timeScale), renderedOperator(timeScale)]
  const config = {
    global: { scrape_interval: '3s', scrape_timeout: '2s', evaluation_interval: '3s' },
    rule_files: ['/etc/prometheus/rules.yaml'],
    scrape_configs: [
      scrapeConfig(RELEASE, NAMESPACE, { honorLabels: false, port: 'http', component: 'service' }),
      scrapeConfig('ingot-system/ingot-operator', OPERATOR.namespace, operators.target),
    ],
  }
  const rules = stringify({ groups: [...ours.groups, ...operators.groups] })
  for (const object of objects({ 'prometheus.yaml': stringify(config), 'rules.yaml': rules }))
    await createObject(object)
  for (const object of rolesIn(OPERATOR.namespace)) await createOperatorObject(object)
  await kubectl(['wait', '--for=condition=Ready', `pod/${NAME}`, '--timeout=120s'], 130)
  const wanted = ['ingot_ready', 'ingot_operator_leader']
  for (const metric of wanted) {
    await eventually(`Prometheus has ${metric}`, 60, async () => (await query(metric)).length > 0)
  }
  return {
    async firedWithin(seconds) {
      const found = await query(
        `max by (alertname, severity) (max_over_time(ALERTS{alertstate="firing"}[${Math.ceil(seconds)}s]))`,
      )
      return found.map(({ alertname = '', severity = '' }) => ({ name: alertname, severity }))
    },
    async firing() {
      const found = await query('max by (alertname) (ALERTS{alertstate="firing"})')
      return found.map(({ alertname = '' }) => alertname)
    },
  }
}

/** Removes what `remove` of the release leaves. */
export async function removePrometheus(): Promise<void> {
  const kinds = 'pod,configmap,serviceaccount,role,rolebinding'
  await kubectl(['delete', kinds, '--selector', `app=${NAME}`, '--ignore-not-found', '--grace-period=1'])
  await kubectl([
    'delete',
    'role,rolebinding',
    '-n',
    OPERATOR.namespace,
    '--selector',
    `app=${NAME}`,
    '--ignore-not-found',
  ])
}

interface Rendered {
  readonly groups: readonly object[]
}

function template(folder: string, release: string, namespace: string, values: readonly string[]) {
  const args = [
    'template',
    release,
    folder,
    '--namespace',
    namespace,
    ...values.flatMap((value) => ['--set-json', value]),
  ]
  const { status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) throw new Error(stderr)
  return readManifests(stdout) as unknown as readonly {
    readonly kind: string
    readonly spec: Record<string, unknown>
  }[]
}

function rulesOf(manifests: ReturnType<typeof template>): readonly object[] {
  return manifests
    .filter(({ kind }) => kind === 'PrometheusRule')
    .flatMap(({ spec }) => spec['groups'] as readonly object[])
}

const ruleValues = (timeScale: number): readonly string[] => [
  'metrics.prometheusRule.enabled=true',
  `metrics.prometheusRule.timeScale=${timeScale}`,
]

function rendered(folder: string, timeScale: number): Rendered {
  return { groups: rulesOf(template(folder, RELEASE, NAMESPACE, ruleValues(timeScale))) }
}

interface Target {
  readonly honorLabels: boolean
  readonly port: string
  readonly component?: string
}

function renderedOperator(timeScale: number): Rendered & { readonly target: Target } {
  const folder = join(CHART, '..', 'ingot-operator')
  const values = [...ruleValues(timeScale), 'metrics.podMonitor.enabled=true']
  const manifests = template(folder, OPERATOR.release, OPERATOR.namespace, values)
  const monitor = manifests.find(({ kind }) => kind === 'PodMonitor')
  const [endpoint] = (monitor?.spec['podMetricsEndpoints'] ?? []) as readonly Target[]
  if (endpoint === undefined) throw new Error('the chart of the operator renders no PodMonitor')
  return { groups: rulesOf(manifests), target: { honorLabels: endpoint.honorLabels, port: endpoint.port } }
}

/** Does what the Prometheus operator makes of a monitor. */
function scrapeConfig(job: string, namespace: string, { honorLabels, port, component }: Target): object {
  const meta = (name: string): readonly string[] => [`__meta_kubernetes_${name}`]
  const keep = (name: string, regex: string): object => ({ source_labels: meta(name), regex, action: 'keep' })
  return {
    job_name: job,
    honor_labels: honorLabels,
    kubernetes_sd_configs: [{ role: 'pod', namespaces: { names: [namespace] } }],
    relabel_configs: [
      ...(component === undefined ? [] : [keep('pod_label_app_kubernetes_io_component', component)]),
      keep('pod_container_port_name', port),
      { source_labels: meta('namespace'), target_label: 'namespace' },
      { source_labels: meta('pod_name'), target_label: 'pod' },
    ],
  }
}

const LABELS = { app: NAME }

/** The right to find pods in a namespace. */
function rolesIn(namespace: string): readonly object[] {
  const metadata = { name: NAME, labels: LABELS, namespace }
  const api = 'rbac.authorization.k8s.io'
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }]
  const subjects = [{ kind: 'ServiceAccount', name: NAME, namespace: NAMESPACE }]
  return [
    { apiVersion: `${api}/v1`, kind: 'Role', metadata, rules },
    {
      apiVersion: `${api}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: api, kind: 'Role', name: NAME },
      subjects,
    },
  ]
}

function objects(files: Readonly<Record<string, string>>): readonly object[] {
  const metadata = { name: NAME, labels: LABELS }
  const container = {
    name: NAME,
    image: IMAGE,
    imagePullPolicy: 'IfNotPresent',
    args: ['--config.file=/etc/prometheus/prometheus.yaml', '--storage.tsdb.path=/data'],
    ports: [{ containerPort: PORT }],
    readinessProbe: { httpGet: { path: '/-/ready', port: PORT }, periodSeconds: 2 },
    resources: { limits: { cpu: '500m', memory: '256Mi' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/prometheus' },
      { name: 'data', mountPath: '/data' },
    ],
  }
  const spec = {
    serviceAccountName: NAME,
    terminationGracePeriodSeconds: 1,
    securityContext: { runAsNonRoot: true, runAsUser: 65_534, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container],
    volumes: [
      { name: 'config', configMap: { name: NAME } },
      { name: 'data', emptyDir: {} },
    ],
  }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    ...rolesIn(NAMESPACE),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: files },
    { apiVersion: 'v1', kind: 'Pod', metadata, spec },
  ]
}

/** Resolves with the labels of the result's series. */
async function query(expression: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const path = `/api/v1/namespaces/${NAMESPACE}/pods/${NAME}:${PORT}/proxy/api/v1/query?query=${encodeURIComponent(expression)}`
  const answer = JSON.parse(await kubectl(['get', '--raw', path])) as {
    readonly data: { readonly result: readonly { readonly metric: Readonly<Record<string, string>> }[] }
  }
  return answer.data.result.map(({ metric }) => metric)
}
