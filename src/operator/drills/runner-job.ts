/** The Jobs of a drill as manifests: the runner with k6 and a canary beside it, and the undo. Pure. */
import { createHash } from 'node:crypto'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { DrillSpec } from '../../drill/spec/schema.ts'
import { CANARY_SIDECAR, K6_SIDECAR } from '../../drill/targets/pod/k6-sidecar.ts'
import { apiVersionOf, type KubeObject, type OwnerReference } from '../../kube/client/resource.ts'
import { durationOf } from '../../std/duration.ts'
import { DRILL_LABEL } from './drill-object.ts'
import { accountOf, type ServiceFacts } from './release.ts'
import { DRILL_UID_LABEL, MAIN_CONTAINER, ROLE_LABEL, type WorkerRole } from './workers.ts'

type Manifest = Readonly<Record<string, unknown>>

export interface JobFacts {
  readonly drill: { readonly name: string; readonly namespace: string; readonly uid: string }
  readonly spec: DrillSpec
  readonly service: ServiceFacts
}

const K6_IMAGE = 'grafana/k6:1.8.1'
const MAX_LOAD = '30m'
/** Time of a drill beside its load, in seconds: gate, faults, settling and judgement. */
const REST_S = 30 * 60
/** Jobs that ended are kept so long, in seconds. */
const KEEP_S = 3_600
/** An undo that hangs is started again after so long, in seconds. */
const UNDO_S = 60
/** The runner undoes its faults on SIGTERM within so long, in seconds. */
const GRACE_S = 10

/** Variables by which the runner and the canary reach the store and the locks of the release. */
const SHARED_ENV = /^(POSTGRES_PASSWORD|LOCK_PASSWORD|CACHE_PASSWORD|INGOT_(STORE|LOCK|CACHE)_\w+)$/
/** Volumes of the service with certificate authorities. */
const CA_VOLUMES = ['redis-tls', 'store-ca']

const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}

/** Returns the name of a Job of the drill. Names of Jobs are labels of pods, so a long one ends with a hash. */
export function jobNameOf({ name, uid }: JobFacts['drill'], suffix: string): string {
  const full = `${name}-${suffix}`
  if (full.length <= 63 && !name.includes('.')) return full
  const hash = createHash('sha256').update(uid).digest('hex').slice(0, 8)
  const room = 63 - suffix.length - hash.length - 2
  return `${name.replaceAll('.', '-').slice(0, room)}-${hash}-${suffix}`
}

export function runnerJob(facts: JobFacts): KubeObject {
  const { spec } = facts
  const seconds = Math.ceil(durationOf(spec.load?.maxDuration ?? MAX_LOAD) / 1_000) + REST_S
  const sidecars = spec.load?.kind === 'None' ? [canary(facts)] : [k6(facts), canary(facts)]
  return job(facts, { role: 'runner', suffix: 'run', seconds, verb: 'run', sidecars })
}

/** `attempt` counts from 1. */
export function undoJob(facts: JobFacts, attempt: number): KubeObject {
  return job(facts, { role: 'undo', suffix: `undo-${attempt}`, seconds: UNDO_S, verb: 'undo', sidecars: [] })
}

interface JobPart {
  readonly role: WorkerRole
  readonly suffix: string
  readonly seconds: number
  readonly verb: string
  readonly sidecars: readonly Manifest[]
}

function job(facts: JobFacts, { role, suffix, seconds, verb, sidecars }: JobPart): KubeObject {
  const { drill } = facts
  const labels = labelsOf(facts, role)
  const owner: OwnerReference = {
    apiVersion: apiVersionOf(FAILOVER_DRILLS),
    kind: FAILOVER_DRILLS.kind,
    name: drill.name,
    uid: drill.uid,
    controller: true,
  }
  return {
    metadata: { name: jobNameOf(drill, suffix), namespace: drill.namespace, labels, ownerReferences: [owner] },
    spec: {
      // another attempt would be another drill; the operator retries an undo
      backoffLimit: 0,
      activeDeadlineSeconds: seconds,
      ttlSecondsAfterFinished: KEEP_S,
      template: {
        metadata: { labels, annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' } },
        spec: podSpec(facts, verb, sidecars),
      },
    },
  }
}

function labelsOf({ drill, spec }: JobFacts, role: WorkerRole): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': spec.target.release,
    'app.kubernetes.io/component': 'drill',
    'app.kubernetes.io/part-of': 'ingot',
    [DRILL_LABEL]: drill.name.slice(0, 63).replace(/[-.]+$/, ''),
    [DRILL_UID_LABEL]: drill.uid,
    [ROLE_LABEL]: role,
  }
}

function podSpec(facts: JobFacts, verb: string, sidecars: readonly Manifest[]): Manifest {
  const { service, spec } = facts
  const { securityContext = {}, ...pod } = service.pod
  return {
    ...pod,
    restartPolicy: 'Never',
    serviceAccountName: accountOf(service),
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_S,
    securityContext: { ...securityContext, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    affinity: awayFrom(spec.target.release),
    // the API server ends native sidecars when the runner has ended
    initContainers: sidecars,
    containers: [runner(facts, verb)],
    volumes: [
      { name: 'out', emptyDir: {} },
      { name: 'tmp', emptyDir: {} },
      ...service.volumes.filter(({ name }) => CA_VOLUMES.includes(name)),
      ...claimOf(spec).map((claimName) => ({ name: 'report', persistentVolumeClaim: { claimName } })),
    ],
  }
}

/** Prefers nodes without servers of the target: a drill may break their nodes. Small clusters have no others. */
function awayFrom(release: string): Manifest {
  const components = ['redis', 'sentinel', 'postgres']
  const matchLabels = { 'app.kubernetes.io/name': 'ingot', 'app.kubernetes.io/instance': release }
  const preferred = components.map((component) => ({
    weight: 100,
    podAffinityTerm: {
      topologyKey: 'kubernetes.io/hostname',
      labelSelector: { matchLabels: { ...matchLabels, 'app.kubernetes.io/component': component } },
    },
  }))
  return { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } }
}

function runner(facts: JobFacts, verb: string): Manifest {
  const { drill, spec } = facts
  return {
    ...ofService(facts, '512Mi'),
    name: MAIN_CONTAINER,
    command: ['node', 'dist/cli.js', 'drill', verb, '--resource', drill.name],
    env: [...envOf(facts), ...reportEnv(spec)],
    volumeMounts: [...mountsOf(facts), ...claimOf(spec).map(() => ({ name: 'report', mountPath: '/report' }))],
  }
}

function canary(facts: JobFacts): Manifest {
  return {
    ...ofService(facts, '256Mi'),
    name: 'canary',
    restartPolicy: 'Always',
    command: ['sh', '-c', CANARY_SIDECAR],
    env: envOf(facts),
    volumeMounts: mountsOf(facts),
  }
}

function k6({ spec, service }: JobFacts): Manifest {
  return {
    name: 'k6',
    image: spec.load?.image ?? K6_IMAGE,
    imagePullPolicy: service.imagePullPolicy,
    restartPolicy: 'Always',
    command: ['sh', '-c', K6_SIDECAR],
    env: [{ name: 'HOME', value: '/tmp' }, { name: 'K6_NO_USAGE_REPORT', value: 'true' }, ...tokenEnv(spec, service)],
    resources: { requests: { cpu: '200m', memory: '256Mi' }, limits: { memory: '1Gi' } },
    securityContext: RESTRICTED,
    volumeMounts: [
      { name: 'out', mountPath: '/out' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  }
}

function ofService({ service }: JobFacts, memory: string): Manifest {
  return {
    image: service.image,
    imagePullPolicy: service.imagePullPolicy,
    resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory } },
    securityContext: RESTRICTED,
  }
}

function mountsOf({ service }: JobFacts): readonly Manifest[] {
  return [
    { name: 'out', mountPath: '/out' },
    { name: 'tmp', mountPath: '/tmp' },
    ...service.volumeMounts.filter(({ name }) => CA_VOLUMES.includes(name)),
  ]
}

const field = (name: string, fieldPath: string): Manifest => ({ name, valueFrom: { fieldRef: { fieldPath } } })

function envOf({ service, spec }: JobFacts): readonly Manifest[] {
  return [
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('POD_NAME', 'metadata.name'),
    ...service.env.filter(({ name }) => SHARED_ENV.test(name)),
    ...redisEnv(service),
    ...tokenEnv(spec, service),
  ]
}

/** The user `drill` of Redis has its password in the Secret of the release, under another key. */
function redisEnv({ env, volumeMounts }: ServiceFacts): readonly Manifest[] {
  const name = secretOf(env.find((one) => one.name === 'LOCK_PASSWORD'))
  const url = env.find((one) => one.name === 'INGOT_LOCK_URL')?.value ?? ''
  const [, domain] = CLUSTER_DOMAIN.exec(url) ?? []
  const tls = volumeMounts.find((mount) => mount.name === 'redis-tls')
  return [
    ...(name === undefined ? [] : [fromSecret('INGOT_DRILL_REDIS_PASSWORD', name, 'drill-password', true)]),
    ...(tls === undefined ? [] : [{ name: 'INGOT_DRILL_REDIS_CA', value: `${tls.mountPath}/ca.crt` }]),
    ...(domain === undefined ? [] : [{ name: 'INGOT_DRILL_CLUSTER_DOMAIN', value: domain }]),
  ]
}

/** The DNS domain of the cluster in the URL of the locks. */
const CLUSTER_DOMAIN = /\.svc\.([a-z0-9.-]+?)(?=[:/,?]|$)/

function secretOf(variable: Manifest | undefined): string | undefined {
  const { secretKeyRef } = (variable?.['valueFrom'] ?? {}) as { readonly secretKeyRef?: { readonly name?: unknown } }
  return typeof secretKeyRef?.name === 'string' ? secretKeyRef.name : undefined
}

/** The chart makes a token for the collection of drills. A release without tokens has no such Secret. */
function tokenEnv({ load }: DrillSpec, { name }: ServiceFacts): readonly Manifest[] {
  if (load?.token !== undefined) return [fromSecret('INGOT_DRILL_TOKEN', load.token.secretName, 'token')]
  return [fromSecret('INGOT_DRILL_TOKEN', `${name}-token`, 'drill-token', true)]
}

function reportEnv({ report }: DrillSpec): readonly Manifest[] {
  if (report?.store !== 'Bucket' || report.bucket === undefined) return []
  const { secretName } = report.bucket
  return [
    fromSecret('INGOT_DRILL_ACCESS_KEY_ID', secretName, 'accessKeyId'),
    fromSecret('INGOT_DRILL_SECRET_ACCESS_KEY', secretName, 'secretAccessKey'),
  ]
}

function fromSecret(variable: string, name: string, key: string, optional = false): Manifest {
  return { name: variable, valueFrom: { secretKeyRef: { name, key, ...(optional ? { optional } : {}) } } }
}

function claimOf({ report }: DrillSpec): readonly string[] {
  return report?.store === 'Claim' && report.claimName !== undefined ? [report.claimName] : []
}
