/** Objects of the charts on a real API server, and access to it with the rights of a ServiceAccount. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection, type KubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'
import { systemClock } from '../../std/clock.ts'
import { untilTrue } from '../../std/until.ts'

const TIME_MS = 20_000

/** Returns a signal that aborts a call which takes too long for a test. */
export const soon = (): AbortSignal => AbortSignal.timeout(TIME_MS)

function resource(group: string, version: string, kind: string, plural = `${kind.toLowerCase()}s`): Resource {
  return {
    group,
    version,
    kind,
    plural,
    namespaced: !/^(Cluster|CustomResource|Namespace|ValidatingAdmission)/.test(kind),
  }
}

export const RESOURCES = {
  definitions: resource('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition'),
  topologies: resource('ingot.dev', 'v1alpha1', 'RedisTopology', 'redistopologies'),
  namespaces: resource('', 'v1', 'Namespace'),
  pods: resource('', 'v1', 'Pod'),
  secrets: resource('', 'v1', 'Secret'),
  services: resource('', 'v1', 'Service'),
  accounts: resource('', 'v1', 'ServiceAccount'),
  leases: resource('coordination.k8s.io', 'v1', 'Lease'),
  events: resource('events.k8s.io', 'v1', 'Event'),
  statefulSets: resource('apps', 'v1', 'StatefulSet'),
  roles: resource('rbac.authorization.k8s.io', 'v1', 'Role'),
  roleBindings: resource('rbac.authorization.k8s.io', 'v1', 'RoleBinding'),
  clusterRoles: resource('rbac.authorization.k8s.io', 'v1', 'ClusterRole'),
  clusterRoleBindings: resource('rbac.authorization.k8s.io', 'v1', 'ClusterRoleBinding'),
  admissionPolicies: resource(
    'admissionregistration.k8s.io',
    'v1',
    'ValidatingAdmissionPolicy',
    'validatingadmissionpolicies',
  ),
  admissionBindings: resource('admissionregistration.k8s.io', 'v1', 'ValidatingAdmissionPolicyBinding'),
} as const

/** Objects of the charts that a server without nodes needs: definitions, rights, Secrets and topologies. */
const APPLIED = new Map(
  [
    RESOURCES.definitions,
    RESOURCES.accounts,
    RESOURCES.secrets,
    RESOURCES.roles,
    RESOURCES.roleBindings,
    RESOURCES.clusterRoles,
    RESOURCES.clusterRoleBindings,
    RESOURCES.admissionPolicies,
    RESOURCES.admissionBindings,
    RESOURCES.topologies,
  ].map((one) => [one.kind, one]),
)

export interface ChartServer extends Disposable {
  readonly admin: KubeApi
  /** Applies the objects of kinds that matter without nodes, and their namespaces. Default of `api`: the administrator. */
  apply(objects: readonly KubeObject[], api?: KubeApi): Promise<void>
  /** Resolves with the path of a kubeconfig that has a token of the ServiceAccount. */
  kubeconfigFor(namespace: string, account: string): Promise<string>
  /** Resolves with the API for the ServiceAccount. */
  as(namespace: string, account: string): Promise<KubeApi>
}

/** `kubeconfig` is that of an administrator. */
export function createChartServer(kubeconfig: string): ChartServer {
  const folder = mkdtempSync(join(tmpdir(), 'chart-server-'))
  const connections: KubeConnection[] = []
  let files = 0

  function connect(file: string): KubeApi {
    const connection = createKubeConnection({ clock: systemClock, kubeconfig: file })
    connections.push(connection)
    return createKubeApi(connection)
  }
  const admin = connect(kubeconfig)

  async function kubeconfigFor(namespace: string, account: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
    const response = await admin.connection.send({ method: 'POST', path, body, signal: soon() })
    const { status } = JSON.parse(response.body) as { status: { token: string } }
    const config = parse(readFileSync(kubeconfig, 'utf8')) as object
    const file = join(folder, String(files++))
    writeFileSync(file, JSON.stringify({ ...config, users: [{ name: 'admin', user: { token: status.token } }] }))
    return file
  }

  return {
    admin,
    async apply(objects, api = admin) {
      const named = objects.flatMap(({ metadata: { namespace } }) => (namespace === undefined ? [] : [namespace]))
      if (api === admin) {
        for (const name of new Set(named)) await admin.apply(RESOURCES.namespaces, { metadata: { name } }, soon())
      }
      for (const [kind, one] of APPLIED) {
        const some = objects.filter((object) => object.kind === kind)
        if (some.length > 0 && one === RESOURCES.topologies) await served(admin)
        for (const object of some) await api.apply(one, object, soon())
      }
    },
    kubeconfigFor,
    as: async (namespace, account) => connect(await kubeconfigFor(namespace, account)),
    [Symbol.dispose]() {
      for (const connection of connections) connection[Symbol.dispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const served = (admin: KubeApi): Promise<true> =>
  untilTrue(
    'RedisTopology is served',
    async () => {
      const path = '/apis/ingot.dev/v1alpha1/redistopologies'
      const { status } = await admin.connection.send({ method: 'GET', path, signal: soon() })
      return status === 200
    },
    { withinMs: TIME_MS },
  )

interface ReviewedRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** Resolves with what the API server lists as the account's rights in a namespace, one text for each right. */
export async function reviewedRights(api: KubeApi, namespace: string): Promise<ReadonlySet<string>> {
  const response = await api.connection.send({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
    signal: soon(),
  })
  const { status } = JSON.parse(response.body) as { status: { resourceRules: readonly ReviewedRule[] } }
  const rights = status.resourceRules.flatMap(({ apiGroups, resources, resourceNames = ['*'], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((one) =>
        resourceNames.flatMap((name) => verbs.map((verb) => `${verb} ${group}/${one} ${name}`)),
      ),
    ),
  )
  // every account may ask about itself
  return new Set(rights.filter((right) => !/ (authorization|authentication)\.k8s\.io\//.test(right)))
}
