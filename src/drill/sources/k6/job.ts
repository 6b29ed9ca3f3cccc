/**
 * Renders the manifests of the load test in a cluster. k6 is an init container that writes its output into a volume.
 * Then ingot's own container converts it into a history and keeps it. drill/sources/job.ts shows how to fetch it.
 *
 *   kubectl exec POD -c k6 -- grep -q '"began"' /out/k6.json   the service was ready, and the load has begun
 *   kubectl exec POD -c history -- cat /out/k6.exit            reads k6's exit code; k6.json and k6.log are there too
 *
 * The exit code is 0 if every threshold was met and 99 if one was crossed. Any other code means that there was no run.
 */
import { historyJob, type Labelled, type Manifest, MOUNTS, metadataOf, RESTRICTED } from '../job.ts'

/** Settings of a load test. */
export interface LoadJob extends Omit<Labelled, 'component'> {
  /** Image of ingot. */
  readonly image: string
  readonly k6Image: string
  /** `ingest`, `smoke` or `soak`. */
  readonly script: string
  /** Settings of the script, see loadtests/lib/settings.ts. */
  readonly env: Readonly<Record<string, string>>
  /** Texts of the scripts by their paths in the project. */
  readonly files: Readonly<Record<string, string>>
  readonly nodeSelector?: Readonly<Record<string, string>>
  /** Name of a Secret with the key `token`, for the variable TOKEN. */
  readonly tokenSecret?: string
  /** Key in that Secret. Default: token. */
  readonly tokenKey?: string
}

/** Returns the key of a file in a ConfigMap, which must not have a slash. */
const keyOf = (path: string): string => path.replaceAll('/', '__')

/** Returns the ConfigMap with the scripts, and the Job. */
export function loadManifests({
  name,
  namespace,
  release,
  image,
  nodeSelector,
  ...load
}: LoadJob): readonly Manifest[] {
  const labelled = { name, namespace, release, component: 'load' }
  const paths = Object.keys(load.files)
  const data = Object.fromEntries(Object.entries(load.files).map(([path, text]) => [keyOf(path), text]))
  const scripts = { name, items: paths.map((path) => ({ key: keyOf(path), path })) }
  const job = historyJob({
    ...labelled,
    image,
    make: 'node dist/cli.js drill history --k6 /out/k6.json --out /out/history.ndjson',
    before: [k6Container(load)],
    volumes: [{ name: 'scripts', configMap: scripts }],
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
  })
  return [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadataOf(labelled), data }, job]
}

/**
 * Writes the exit code to a file, so that a crossed threshold does not prevent the history. With the address of a Prometheus,
 * k6 sends its own metrics to it, too. The option --out replaces K6_OUT, so both outputs are options.
 */
const RUN_K6 = `k6 run --out json=/out/k6.json \${K6_PROMETHEUS_RW_SERVER_URL:+--out experimental-prometheus-rw} "/scripts/loadtests/$SCRIPT.ts" >/out/k6.log 2>&1 &
pid=$!
trap 'kill -INT $pid' TERM INT
wait $pid
code=$?
# a signal ends the wait before k6 has ended
while kill -0 $pid 2>/dev/null; do wait $pid; code=$?; done
echo $code >/out/k6.exit
cat /out/k6.log`

function k6Container({
  k6Image,
  script,
  env,
  tokenSecret,
  tokenKey = 'token',
}: Pick<LoadJob, 'k6Image' | 'script' | 'env' | 'tokenSecret' | 'tokenKey'>): Manifest {
  const token = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: tokenSecret, key: tokenKey } } }
  return {
    name: 'k6',
    image: k6Image,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', RUN_K6],
    env: [
      { name: 'SCRIPT', value: script },
      { name: 'HOME', value: '/tmp' },
      { name: 'K6_NO_USAGE_REPORT', value: 'true' },
      ...Object.entries(env).map(([name, value]) => ({ name, value })),
      ...(tokenSecret === undefined ? [] : [token]),
    ],
    resources: { requests: { cpu: '200m', memory: '256Mi' }, limits: { memory: '1Gi' } },
    securityContext: RESTRICTED,
    volumeMounts: [{ name: 'scripts', mountPath: '/scripts', readOnly: true }, ...MOUNTS],
  }
}
