/** The rights that the charts give to the operator, rendered by helm, for tests of the operator on a real API server. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../kube/client/resource.ts'
import type { Absent } from '../present.ts'

const CHARTS = join(import.meta.dirname, '..', '..', '..', 'charts')

/** Namespaces of the renderings: of the operator, and of a release of the chart ingot with the name `ingot`. */
export const OPERATOR_NAMESPACE = 'ingot-system'
export const RELEASE_NAMESPACE = 'shop'

export interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** One verb on one resource. */
export interface Right {
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined
  readonly group: string
  /** With its subresource, such as `redistopologies/status`. */
  readonly resource: string
  /** Undefined: every name. */
  readonly name: string | undefined
  readonly verb: string
}

export interface RenderedCharts {
  /** Objects of both charts. Those without a namespace of their own have that of their release. */
  readonly objects: readonly KubeObject[]
  /** Every right of the operator's ServiceAccount. */
  readonly rights: readonly Right[]
}

export interface RenderOptions {
  /** Values of the chart ingot-operator, as `path=JSON`. Default: none. */
  readonly operator?: readonly string[]
  /** Values of the chart ingot, as `path=JSON`. Default: none. */
  readonly release?: readonly string[]
  /** Default: OPERATOR_NAMESPACE. */
  readonly operatorNamespace?: string
}

/** Renders both charts. Throws the error of helm. */
export function renderCharts(options: RenderOptions = {}): RenderedCharts | Absent {
  const { operator = [], release = [], operatorNamespace = OPERATOR_NAMESPACE } = options
  if (spawnSync('helm', ['version']).status !== 0) return { absent: 'helm is not installed' }
  const values = ['operator.resources="always"', `operator.namespace="${operatorNamespace}"`, ...release]
  const objects = [
    ...template('ingot-operator', operatorNamespace, operator),
    ...template('ingot', RELEASE_NAMESPACE, values),
  ]
  return { objects, rights: rightsOf(objects, `${operatorNamespace}/ingot-operator`) }
}

function template(chart: string, namespace: string, changes: readonly string[]): readonly KubeObject[] {
  const values = changes.flatMap((change) => ['--set-json', change])
  const args = ['template', chart, join(CHARTS, chart), '--namespace', namespace, ...values]
  const { status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 })
  if (status !== 0) throw new Error(stderr)
  // parse YAML like Kubernetes: 0555 is octal
  const objects = parseAllDocuments(stdout, { version: '1.1' }).map((document) => document.toJS() as KubeObject | null)
  return objects.filter((object) => object !== null).map((object) => withNamespace(object, namespace))
}

const CLUSTER_KINDS = new Set([
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
])

function withNamespace(object: KubeObject, namespace: string): KubeObject {
  if (CLUSTER_KINDS.has(object.kind ?? '')) return object
  return { ...object, metadata: { namespace, ...object.metadata } }
}

interface Binding {
  readonly roleRef: { readonly kind: string; readonly name: string }
  readonly subjects: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[]
}

/** Returns the rights that bindings among the objects give to the ServiceAccount `namespace/name`. */
function rightsOf(objects: readonly KubeObject[], account: string): readonly Right[] {
  const bindings = objects.filter(({ kind }) => kind === 'RoleBinding' || kind === 'ClusterRoleBinding')
  return bindings.flatMap((object) => {
    const { roleRef, subjects } = object as unknown as Binding
    const isBound = subjects.some((one) => one.kind === 'ServiceAccount' && `${one.namespace}/${one.name}` === account)
    if (!isBound) return []
    const { namespace } = object.metadata
    const role = objects.find(
      ({ kind, metadata }) =>
        kind === roleRef.kind &&
        metadata.name === roleRef.name &&
        (kind === 'ClusterRole' || metadata.namespace === namespace),
    )
    if (role === undefined) throw new Error(`${object.kind} ${object.metadata.name} refers to no role of the charts`)
    return (role['rules'] as readonly Rule[]).flatMap((rule) => expand(rule, namespace))
  })
}

function expand({ apiGroups, resources, resourceNames, verbs }: Rule, namespace: string | undefined): Right[] {
  const names: readonly (string | undefined)[] = resourceNames ?? [undefined]
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      names.flatMap((name) => verbs.map((verb) => ({ namespace, group, resource, name, verb }))),
    ),
  )
}

/** A request as RBAC sees it. */
export interface AuthorizedRequest {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

/** Returns the rights that none of the requests needed. */
export function unusedRights(rights: readonly Right[], requests: readonly AuthorizedRequest[]): readonly Right[] {
  return rights.filter((right) => !requests.some((request) => allows(right, request)))
}

function allows(right: Right, { verb, group, resource, namespace, name }: AuthorizedRequest): boolean {
  const isSame = right.verb === verb && right.group === group && right.resource === resource
  const isInside = right.namespace === undefined || right.namespace === namespace
  return isSame && isInside && (right.name === undefined || right.name === name)
}

const PATH =
  /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[a-z]+)(?:\/(?<name>[^/]+)(?:\/(?<sub>[^/]+))?)?$/

const WRITES: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

function readVerb(name: string | undefined, query: string): string {
  if (name !== undefined) return 'get'
  return new URLSearchParams(query).has('watch') ? 'watch' : 'list'
}

/**
 * Returns what RBAC checks for a request with this response: the verb follows from the method, the path and `watch=`. An
 * apply that creates its object (201) needs `create` too. Returns nothing for a path without resources, as /openapi/v3.
 */
export function authorizedRequests(method: string, pathAndQuery: string, status = 200): readonly AuthorizedRequest[] {
  const [path = '', query = ''] = pathAndQuery.split('?')
  const groups = PATH.exec(path)?.groups
  if (groups === undefined) return []
  const { group = '', namespace, plural = '', name, sub } = groups
  const verb = WRITES[method] ?? readVerb(name, query)
  const request = { verb, group, resource: sub === undefined ? plural : `${plural}/${sub}`, namespace, name }
  return verb === 'patch' && status === 201 ? [request, { ...request, verb: 'create' }] : [request]
}
