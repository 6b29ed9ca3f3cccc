/**
 * Fakes a Kubernetes API server for `lookup`: an HTTP server with the few endpoints that helm uses in a dry run, and the
 * objects of the test. All other requests get 403, as for a user without the right.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CHART, type Manifest, readManifests, valuesFile } from './helm.ts'

const NAMESPACE = 'shop'
/** Options with which helm looks up objects but requests no schemas. */
const LOOKUP = ['--dry-run=server', '--is-upgrade', '--disable-openapi-validation']
const execute = promisify(execFile)

/** Kinds of the chart with their plural names, by API group. Only nodes are outside namespaces. */
const KINDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  v1: {
    ConfigMap: 'configmaps',
    Node: 'nodes',
    PersistentVolumeClaim: 'persistentvolumeclaims',
    Pod: 'pods',
    Secret: 'secrets',
    Service: 'services',
    ServiceAccount: 'serviceaccounts',
  },
  'apps/v1': { Deployment: 'deployments', StatefulSet: 'statefulsets' },
  'autoscaling/v2': { HorizontalPodAutoscaler: 'horizontalpodautoscalers' },
  'batch/v1': { CronJob: 'cronjobs' },
  'networking.k8s.io/v1': { Ingress: 'ingresses', NetworkPolicy: 'networkpolicies' },
  'policy/v1': { PodDisruptionBudget: 'poddisruptionbudgets' },
  'rbac.authorization.k8s.io/v1': { Role: 'roles', RoleBinding: 'rolebindings' },
  'ingot.dev/v1alpha1': { RedisTopology: 'redistopologies' },
}

export interface Live extends AsyncDisposable {
  /** Renders an upgrade on this cluster. Rejects with the error of helm if it refuses. */
  render(mode: string, changes?: readonly string[]): Promise<readonly Manifest[]>
  /** Resolves with the message with which helm refuses the values. Rejects if helm accepts them. */
  refusal(mode: string, changes: readonly string[]): Promise<string>
}

export interface LiveOptions {
  readonly objects: readonly (Partial<Manifest> & Pick<Manifest, 'kind' | 'metadata'>)[]
  readonly release?: string
  /** True if the user may list nodes. Default: true. */
  readonly mayListNodes?: boolean
  /** Folder of the chart. Default: charts/ingot. */
  readonly chart?: string
}

/** Returns a copy of the chart without one rule of templates/validate.yaml, to prove that no other rule refuses. */
export function chartWithout(rule: string): { readonly chart: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-chart-'))
  cpSync(CHART, folder, { recursive: true })
  const file = join(folder, 'templates', 'validate.yaml')
  const line = `{{- include "${rule}" . -}}\n`
  const rules = readFileSync(file, 'utf8')
  if (!rules.includes(line)) throw new Error(`there is no rule ${rule}`)
  writeFileSync(file, rules.replace(line, ''))
  return { chart: folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

export async function startLive(options: LiveOptions): Promise<Live> {
  const { objects, release = 'ingot', mayListNodes = true, chart = CHART } = options
  const server = createServer(({ url = '' }, response) => respond(url.split('?')[0] ?? '', response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const folder = mkdtempSync(join(tmpdir(), 'ingot-live-'))
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, kubeconfigOf((server.address() as AddressInfo).port))

  function respond(path: string, response: ServerResponse): void {
    const discovered = discovery(path)
    if (discovered !== undefined) return send(response, 200, discovered)
    const { group = '', plural, name } = OBJECT.exec(path)?.groups ?? {}
    const kind = Object.entries(KINDS[group] ?? {}).find((row) => row[1] === plural)?.[0]
    const found = objects.filter((object) => object.kind === kind)
    if (name === undefined) return respondWithList(kind, found, response)
    const object = found.find(({ metadata }) => metadata.name === name)
    if (object === undefined) return send(response, 404, status(404, 'NotFound'))
    send(response, 200, { ...object, apiVersion: group })
  }

  /** Only nodes can be listed. Other lists need a right that an installer may lack. */
  function respondWithList(kind: string | undefined, items: readonly unknown[], response: ServerResponse): void {
    if (kind !== 'Node' || !mayListNodes) return send(response, 403, status(403, 'Forbidden'))
    send(response, 200, { kind: 'NodeList', apiVersion: 'v1', metadata: {}, items })
  }

  async function helm(mode: string, changes: readonly string[]): Promise<string> {
    const values = ['--values', valuesFile(mode), ...changes.flatMap((change) => ['--set-json', change])]
    const args = ['template', release, chart, '--namespace', NAMESPACE, ...LOOKUP, ...values]
    const env = { ...process.env, KUBECONFIG: kubeconfig }
    const { stdout } = await execute('helm', args, { env, maxBuffer: 64 * 2 ** 20 })
    return stdout
  }

  return {
    render: async (mode, changes = []) => readManifests(await helm(mode, changes)),
    async refusal(mode, changes) {
      const error: unknown = await helm(mode, changes).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (error === undefined) throw new Error(`helm accepts ${changes.join(' ')}`)
      return String((error as { stderr?: string }).stderr)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const GROUP = /^\/apis?\/(?<group>v1|[^/]+\/v[0-9][0-9a-z]*)$/
const OBJECT =
  /^\/apis?\/(?<group>v1|[^/]+\/v[0-9][0-9a-z]*)\/(?:namespaces\/shop\/)?(?<plural>[a-z]+)(?:\/(?<name>[^/]+))?$/

function discovery(path: string): object | undefined {
  if (path === '/version') return { major: '1', minor: '34', gitVersion: 'v1.34.0' }
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] }
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups() }
  const group = GROUP.exec(path)?.groups?.['group']
  if (group === undefined) return undefined
  const resources = Object.entries(KINDS[group] ?? {}).map(([kind, name]) => {
    return { kind, name, singularName: kind.toLowerCase(), namespaced: kind !== 'Node', verbs: ['get', 'list'] }
  })
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: group, resources }
}

function groups(): object[] {
  return Object.keys(KINDS).flatMap((groupVersion) => {
    const [name, version] = groupVersion.split('/')
    if (version === undefined) return []
    return [{ name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } }]
  })
}

function status(code: number, reason: string): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, message: reason, code }
}

function send(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function kubeconfigOf(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'live',
    clusters: [{ name: 'live', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'live', user: {} }],
    contexts: [{ name: 'live', context: { cluster: 'live', user: 'live', namespace: NAMESPACE } }],
  })
}
