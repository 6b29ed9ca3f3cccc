/**
 * The load test in a cluster, as manifests. k6 is an init container that writes its output into a volume; then ingot's
 * own container turns that into history.ndjson and keeps it until it is fetched: logs rotate and lose lines.
 *
 *   kubectl exec POD -c k6 -- grep -q '"began"' /out/k6.json               the service was ready, the load has begun
 *   kubectl wait --for=condition=Ready pod -l job-name=NAME --timeout=5m   the history is there
 *   kubectl exec POD -c history -- cat /out/history.ndjson                 fetches it; also k6.json, k6.exit, k6.log
 *   kubectl exec POD -c history -- touch /out/fetched                      ends the Job
 *
 * k6.exit holds k6's exit code: 0 fine, 99 a threshold was crossed, anything else no run.
 */

export interface LoadJob {
  readonly name: string
  readonly namespace: string
  /** The part of names and labels that says which release is loaded. */
  readonly release: string
  /** Of ingot. */
  readonly image: string
  readonly k6Image: string
  /** `ingest`, `smoke` or `soak`. */
  readonly script: string
  /** Settings of the script, see loadtests/lib/settings.ts. */
  readonly env: Readonly<Record<string, string>>
  /** Texts of the scripts by their paths in the project. */
  readonly files: Readonly<Record<string, string>>
  readonly nodeSelector?: Readonly<Record<string, string>>
  /** Secret with the key `token`, for the variable TOKEN. */
  readonly tokenSecret?: string
  /** How long the history is kept for whoever fetches it, seconds. Default: 600. */
  readonly keepSeconds?: number
}

export type Manifest = Readonly<Record<string, unknown>>

const KEEP_S = 600
/** Any number that is not root's; both images run as it. */
const USER = 1_000
/** A key of a ConfigMap has no slash. */
const SLASH = '__'

/** The ConfigMap with the scripts, and the Job. */
export function loadManifests(job: LoadJob): readonly Manifest[] {
  const data = Object.fromEntries(Object.entries(job.files).map(([path, text]) => [path.replaceAll('/', SLASH), text]))
  return [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadataOf(job), data }, jobOf(job)]
}

function metadataOf(job: LoadJob): Manifest {
  return { name: job.name, namespace: job.namespace, labels: labelsOf(job) }
}

function labelsOf({ release }: LoadJob): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': release,
    'app.kubernetes.io/component': 'load',
    'app.kubernetes.io/part-of': 'ingot',
  }
}

function jobOf(job: LoadJob): Manifest {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadataOf(job),
    spec: {
      // a second try would be another run
      backoffLimit: 0,
      template: { metadata: { labels: labelsOf(job) }, spec: podOf(job) },
    },
  }
}

function podOf(job: LoadJob): Manifest {
  const items = Object.keys(job.files).map((path) => ({ key: path.replaceAll('/', SLASH), path }))
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(job.nodeSelector === undefined ? {} : { nodeSelector: job.nodeSelector }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    initContainers: [k6Container(job)],
    containers: [historyContainer(job)],
    volumes: [
      { name: 'scripts', configMap: { name: job.name, items } },
      { name: 'out', emptyDir: {} },
      { name: 'tmp', emptyDir: {} },
    ],
  }
}

const SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const

/** A threshold that is crossed must not keep the history from being made: the code goes into a file. */
const RUN_K6 = `k6 run --out json=/out/k6.json "/scripts/loadtests/$SCRIPT.ts" >/out/k6.log 2>&1 &
pid=$!
trap 'kill -INT $pid' TERM INT
wait $pid
code=$?
# a signal ends the wait before k6 has ended
while kill -0 $pid 2>/dev/null; do wait $pid; code=$?; done
echo $code >/out/k6.exit
cat /out/k6.log`

function k6Container(job: LoadJob): Manifest {
  const token = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: job.tokenSecret, key: 'token' } } }
  return {
    name: 'k6',
    image: job.k6Image,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', RUN_K6],
    env: [
      { name: 'SCRIPT', value: job.script },
      { name: 'HOME', value: '/tmp' },
      { name: 'K6_NO_USAGE_REPORT', value: 'true' },
      ...Object.entries(job.env).map(([name, value]) => ({ name, value })),
      ...(job.tokenSecret === undefined ? [] : [token]),
    ],
    resources: { requests: { cpu: '200m', memory: '256Mi' }, limits: { memory: '1Gi' } },
    securityContext: SECURITY,
    volumeMounts: [
      { name: 'scripts', mountPath: '/scripts', readOnly: true },
      { name: 'out', mountPath: '/out' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  }
}

/** Ends when the history was fetched, or after a time: a Job that nobody looks after ends by itself. */
const KEEP = `node dist/cli.js drill history --k6 /out/k6.json --out /out/history.ndjson || exit
left=$KEEP_SECONDS
until [ -e /out/fetched ] || [ $left -le 0 ]; do sleep 1; left=$((left - 1)); done
[ -e /out/fetched ]`

function historyContainer(job: LoadJob): Manifest {
  return {
    name: 'history',
    image: job.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', KEEP],
    env: [{ name: 'KEEP_SECONDS', value: String(job.keepSeconds ?? KEEP_S) }],
    readinessProbe: { exec: { command: ['test', '-e', '/out/history.ndjson'] }, periodSeconds: 1 },
    resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: SECURITY,
    volumeMounts: [
      { name: 'out', mountPath: '/out' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  }
}
