/**
 * A Job of a drill as a manifest, under the restricted pod security. Its container `history` makes
 * /out/history.ndjson, is Ready when that is there, and keeps it until it is fetched: logs rotate and lose lines.
 *
 *   kubectl wait --for=condition=Ready pod -l job-name=NAME --timeout=5m   the history is there
 *   kubectl exec POD -c history -- cat /out/history.ndjson                 fetches it
 *   kubectl exec POD -c history -- touch /out/fetched                      ends the Job
 */

export interface Labelled {
  readonly name: string
  readonly namespace: string
  /** The part of names and labels that says which release it belongs to. */
  readonly release: string
  /** What it is: `load` or `canary`. */
  readonly component: string
}

export interface HistoryJob extends Labelled {
  /** Of ingot. */
  readonly image: string
  /** One command of the shell, after whose success the history is there, and whole as soon as it is there. */
  readonly make: string
  /** Default: none. */
  readonly env?: readonly Manifest[]
  /** What runs before; `/out` and `/tmp` are volumes by the names `out` and `tmp`. Default: nothing. */
  readonly before?: readonly Manifest[]
  /** Further volumes. Default: none. */
  readonly volumes?: readonly Manifest[]
  readonly nodeSelector?: Readonly<Record<string, string>>
}

export type Manifest = Readonly<Record<string, unknown>>

/** How long the history is kept for whoever fetches it, seconds. */
const KEEP_S = 600
/** Any number that is not root's; every image of a drill runs as it. */
const USER = 1_000

export function metadataOf({ name, namespace, release, component }: Labelled): Manifest {
  const labels = {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': release,
    'app.kubernetes.io/component': component,
    'app.kubernetes.io/part-of': 'ingot',
  }
  return { name, namespace, labels }
}

export function historyJob(job: HistoryJob): Manifest {
  const metadata = metadataOf(job)
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    // a second try would be another run
    spec: { backoffLimit: 0, template: { metadata: { labels: metadata['labels'] }, spec: podOf(job) } },
  }
}

function podOf({ before = [], volumes = [], nodeSelector, ...job }: HistoryJob): Manifest {
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    initContainers: before,
    containers: [historyContainer(job)],
    volumes: [...volumes, { name: 'out', emptyDir: {} }, { name: 'tmp', emptyDir: {} }],
  }
}

/** Of every container. */
export const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const

export const MOUNTS: readonly Manifest[] = [
  { name: 'out', mountPath: '/out' },
  { name: 'tmp', mountPath: '/tmp' },
]

/** Ends when the history was fetched, or after a time: a Job that nobody looks after ends by itself. */
const KEEP = `left=${KEEP_S}
until [ -e /out/fetched ] || [ $left -le 0 ]; do sleep 1; left=$((left - 1)); done
[ -e /out/fetched ]`

function historyContainer({ image, make, env = [] }: HistoryJob): Manifest {
  return {
    name: 'history',
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', `${make} || exit\n${KEEP}`],
    env,
    readinessProbe: { exec: { command: ['test', '-e', '/out/history.ndjson'] }, periodSeconds: 1 },
    resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: RESTRICTED,
    volumeMounts: MOUNTS,
  }
}
