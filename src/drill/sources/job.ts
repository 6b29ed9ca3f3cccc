/**
 * Renders the manifest of a drill's Job for the restricted pod security. Its container `history` creates
 * /out/history.ndjson, is Ready when the file exists, and keeps it until it is fetched. The file is not read from logs,
 * because logs rotate and lose lines.
 *
 *   kubectl wait --for=condition=Ready pod -l job-name=NAME --timeout=5m   waits for the history
 *   kubectl exec POD -c history -- cat /out/history.ndjson                 fetches it
 *   kubectl exec POD -c history -- touch /out/fetched                      ends the Job
 */

export interface Labelled {
  readonly name: string
  readonly namespace: string
  /** Release to which the Job belongs. Names and labels contain it. */
  readonly release: string
  /** Component of the Job: `load` or `canary`. */
  readonly component: string
}

/** Settings of a Job that creates a history. */
export interface HistoryJob extends Labelled {
  /** Image of ingot. */
  readonly image: string
  /**
   * One shell command. When it succeeds, the history exists. It must create the history file only when it is complete.
   */
  readonly make: string
  /** Environment variables of the container. Default: none. */
  readonly env?: readonly Manifest[]
  /** Containers that run before. They may use the volumes `out` (`/out`) and `tmp` (`/tmp`). Default: none. */
  readonly before?: readonly Manifest[]
  /** Further volumes. Default: none. */
  readonly volumes?: readonly Manifest[]
  readonly nodeSelector?: Readonly<Record<string, string>>
}

export type Manifest = Readonly<Record<string, unknown>>

/** Time for which the history is kept until it is fetched, in seconds. */
const KEEP_S = 600
/** User id of every image of a drill. It may be any id except that of root. */
const USER = 1_000

/** Returns the metadata of a manifest, with the standard labels. */
export function metadataOf({ name, namespace, release, component }: Labelled): Manifest {
  const labels = {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': release,
    'app.kubernetes.io/component': component,
    'app.kubernetes.io/part-of': 'ingot',
  }
  return { name, namespace, labels }
}

/** Returns the manifest of the Job. The Job is never retried. */
export function historyJob(job: HistoryJob): Manifest {
  const metadata = metadataOf(job)
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    // a retry would be another run
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

/** Security context of every container. */
export const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const

export const MOUNTS: readonly Manifest[] = [
  { name: 'out', mountPath: '/out' },
  { name: 'tmp', mountPath: '/tmp' },
]

/** Ends when the history was fetched, or after a timeout, so that an abandoned Job ends by itself. */
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
