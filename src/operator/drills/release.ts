/** What the operator reads of a release before it starts a drill of it. Pure, except `findRelease`. */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { KubeApi } from '../../kube/client/api.ts'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'
import type { Obstacle } from './plan.ts'

export const DEPLOYMENTS: Resource = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
}
export const ACCOUNTS: Resource = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
}

const ENV = Type.Object({ name: Type.String(), value: Type.Optional(Type.String()) })
const NAMED = Type.Object({ name: Type.String() })
const MOUNT = Type.Object({ name: Type.String(), mountPath: Type.String() })

const DEPLOYMENT = Type.Object({
  spec: Type.Object({
    template: Type.Object({
      spec: Type.Object({
        containers: Type.Array(
          Type.Object({
            name: Type.String(),
            image: Type.String(),
            imagePullPolicy: Type.Optional(Type.String()),
            env: Type.Optional(Type.Array(ENV)),
            volumeMounts: Type.Optional(Type.Array(MOUNT)),
          }),
          { minItems: 1 },
        ),
        volumes: Type.Optional(Type.Array(NAMED)),
        imagePullSecrets: Type.Optional(Type.Array(NAMED)),
        tolerations: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()))),
        securityContext: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      }),
    }),
  }),
})

type PodSpec = Static<typeof DEPLOYMENT>['spec']['template']['spec']

/** The service of a release, as the pods of a drill need it. */
export interface ServiceFacts {
  /** First part of the names of the release. */
  readonly name: string
  readonly image: string
  readonly imagePullPolicy: string
  readonly env: readonly Static<typeof ENV>[]
  readonly volumeMounts: readonly Static<typeof MOUNT>[]
  readonly volumes: readonly Static<typeof NAMED>[]
  readonly pod: Pick<PodSpec, 'imagePullSecrets' | 'tolerations' | 'securityContext'>
}

/** Name of the ServiceAccount that the chart gives to the drills of a release (`drills.enabled`). */
export function accountOf({ name }: Pick<ServiceFacts, 'name'>): string {
  return `${name}-drill`
}

/** Returns undefined for a Deployment that the chart of ingot did not make. */
export function serviceFacts(deployment: KubeObject): ServiceFacts | undefined {
  if (!Value.Check(DEPLOYMENT, deployment)) return undefined
  const { containers, volumes = [], imagePullSecrets, tolerations, securityContext } = deployment.spec.template.spec
  const main = containers.find(({ name }) => name === 'ingot') ?? containers[0]
  if (main === undefined) return undefined
  return {
    name: deployment.metadata.name,
    image: main.image,
    imagePullPolicy: main.imagePullPolicy ?? 'IfNotPresent',
    env: main.env ?? [],
    volumeMounts: main.volumeMounts ?? [],
    volumes,
    pod: {
      ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }),
      ...(tolerations === undefined ? {} : { tolerations }),
      ...(securityContext === undefined ? {} : { securityContext }),
    },
  }
}

export interface ReleaseQuery {
  readonly namespace: string
  readonly release: string
}

/** Resolves with the service of the release, or with the reason why it cannot be drilled. */
export async function findRelease(
  api: KubeApi,
  { namespace, release }: ReleaseQuery,
  signal: AbortSignal,
): Promise<ServiceFacts | Obstacle> {
  const labelSelector = [
    'app.kubernetes.io/name=ingot',
    `app.kubernetes.io/instance=${release}`,
    'app.kubernetes.io/component=service',
  ].join(',')
  const { items } = await api.list(DEPLOYMENTS, { namespace, labelSelector }, signal)
  const [found] = items.flatMap((item) => serviceFacts(item) ?? [])
  if (found === undefined) {
    const message = `the namespace has no release ${release} of the chart ingot: correct spec.target.release`
    return { reason: 'ReleaseMissing', message }
  }
  const name = accountOf(found)
  if ((await api.get(ACCOUNTS, { namespace, name }, signal)) !== undefined) return found
  const message = `there is no ServiceAccount ${name}: set drills.enabled=true in the values of the release ${release}`
  return { reason: 'RunnerMissing', message }
}
