/**
 * The load as a Job of the cluster: k6 writes its samples to a volume, and beside it a container of ingot's own image
 * turns them into histories, because logs are rotated and lose lines. Files on the volume say what to do next:
 * `stop` ends the load, `settle` (with a duration in it) sends all of it again, `end` ends the pod. Pure.
 */
import { dirname, join, normalize } from 'node:path'

export interface LoadOptions {
  /** Names the run and with it every content; unique among the runs on one store. */
  readonly run: string
  readonly collection: string
  /** Iterations a second. */
  readonly rate: number
  /** Longest time that the load goes on when nobody stops it. */
  readonly maxSeconds: number
  /** Of one request, milliseconds. */
  readonly timeoutMs: number
  readonly baseUrl: string
  readonly tag: string
  readonly node: string
}

export const K6_IMAGE = 'grafana/k6:1.8.1'
const ENTRY = 'loadtests/ingest.ts'
const IMPORT = /\bfrom '(\.[^']+)'/g

/** The script and all that it imports, by path. `read` gives a file's text. */
export function scriptsOf(read: (path: string) => string): ReadonlyMap<string, string> {
  const scripts = new Map<string, string>()
  const take = (path: string): void => {
    if (scripts.has(path)) return
    const text = read(path)
    scripts.set(path, text)
    for (const [, relative = ''] of text.matchAll(IMPORT)) take(normalize(join(dirname(path), relative)))
  }
  take(ENTRY)
  return scripts
}

/** Keys of a ConfigMap have no slashes. */
const keyOf = (path: string): string => path.replaceAll('/', '__')

const RUN = 'k6 run --quiet --no-usage-report --no-color'

/** `run NAME PARTS DURATION`: k6 in the background, stopped when a file of that name with `.stop` appears. */
const K6_SCRIPT = `
set -u
run() {
  ${RUN} --out json=/out/$1.json -e PARTS=$2 -e DURATION=$3 /scripts/${ENTRY} >/out/$1.log 2>&1 &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    if [ -e /out/$1.stop ]; then kill -TERM $pid 2>/dev/null; rm -f /out/$1.stop; fi
    sleep 0.5
  done
  wait $pid
  echo $? >/out/$1.exit
}
run load load "$MAX"
until [ -e /out/settle.begin ] || [ -e /out/end ]; do sleep 0.5; done
[ ! -e /out/settle.begin ] || run settle settle "$(cat /out/settle.begin)"
until [ -e /out/end ]; do sleep 0.5; done
`

const HISTORY_SCRIPT = `
for name in load settle; do
  until [ -e /out/$name.exit ] || [ -e /out/end ]; do sleep 0.5; done
  [ ! -e /out/$name.exit ] || node dist/cli.js drill history --k6 /out/$name.json --out /out/$name.ndjson 2>/out/$name.converted ||
    mv /out/$name.converted /out/$name.failed
done
until [ -e /out/end ]; do sleep 0.5; done
`

const SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}

/** A List of the ConfigMap with the scripts and the Job. */
export function loadManifest(name: string, scripts: ReadonlyMap<string, string>, options: LoadOptions): object {
  const labels = {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': 'ingot',
    'app.kubernetes.io/component': 'load',
  }
  const metadata = { name, labels }
  const data = Object.fromEntries(Array.from(scripts, ([path, text]) => [keyOf(path), text]))
  const items = Array.from(scripts.keys(), (path) => ({ key: keyOf(path), path }))
  const { run, collection, rate, maxSeconds, timeoutMs, baseUrl, tag, node } = options
  const settings = {
    RUN: run,
    COLLECTION: collection,
    RATE: rate,
    MAX: `${maxSeconds}s`,
    TIMEOUT: `${timeoutMs}ms`,
    BASE_URL: baseUrl,
    HOME: '/tmp',
  }
  const volumeMounts = [
    { name: 'out', mountPath: '/out' },
    { name: 'tmp', mountPath: '/tmp' },
  ]
  const k6 = {
    name: 'k6',
    image: K6_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', K6_SCRIPT],
    env: Object.entries(settings).map(([key, value]) => ({ name: key, value: String(value) })),
    resources: { requests: { cpu: '100m', memory: '256Mi' } },
    securityContext: SECURITY,
    volumeMounts: [...volumeMounts, { name: 'scripts', mountPath: '/scripts', readOnly: true }],
  }
  const history = {
    name: 'history',
    image: `ingot:${tag}`,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', HISTORY_SCRIPT],
    resources: { requests: { cpu: '10m', memory: '64Mi' } },
    securityContext: SECURITY,
    volumeMounts,
  }
  const spec = {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    nodeSelector: { 'kubernetes.io/hostname': node },
    terminationGracePeriodSeconds: 5,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 12_345,
      runAsGroup: 12_345,
      fsGroup: 12_345,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [k6, history],
    volumes: [
      { name: 'out', emptyDir: {} },
      { name: 'tmp', emptyDir: {} },
      { name: 'scripts', configMap: { name, items } },
    ],
  }
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    spec: { backoffLimit: 0, template: { metadata: { labels }, spec } },
  }
  return { apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, job] }
}
