/**
 * The canary as a Job of its own beside the service: not a part of the release, whose upgrades would take it along. It
 * reaches Redis as the service does, with the service's own settings.
 */
import { Type } from 'typebox'
import type { Event } from '../../drill/history.ts'
import type { Manifest } from '../../drill/k6/job.ts'
import { startBeside } from './beside.ts'
import { TAGS } from './images.ts'
import { RELEASE } from './installation.ts'
import type { Kubectl } from './kubectl.ts'

export interface Canary extends AsyncDisposable {
  /** Ends the writing, waits until every number was looked for, and resolves with what it noted. */
  stop(signal: AbortSignal): Promise<readonly Event[]>
}

const NAME = 'canary'
/** Writes a second. */
const RATE = 10
/** Settings that lead to Redis and to the store of fences, with the Secrets that they are put together from. */
const LEADS = /^(POSTGRES_PASSWORD|LOCK_PASSWORD|INGOT_LOCK_\w+)$/

const ENV = Type.Array(
  Type.Object({
    name: Type.String(),
    value: Type.Optional(Type.String()),
    valueFrom: Type.Optional(Type.Object({ secretKeyRef: Type.Object({ name: Type.String(), key: Type.String() }) })),
  }),
)
const DEPLOYMENT = Type.Object({
  spec: Type.Object({
    template: Type.Object({ spec: Type.Object({ containers: Type.Array(Type.Object({ env: ENV })) }) }),
  }),
})

const SCRIPT = `node dist/cli.js drill canary --rate ${RATE} --stop-file /out/stop --out /out/canary.ndjson || exit
mv /out/canary.ndjson /out/history.ndjson
until [ -e /out/fetched ]; do sleep 1; done`

/** Resolves when its pod is scheduled. */
export async function startCanary(kubectl: Kubectl, node: string, signal: AbortSignal): Promise<Canary> {
  const args = ['get', 'deployment', RELEASE]
  const { spec } = await kubectl.read(DEPLOYMENT, args, { signal })
  const env = spec.template.spec.containers.flatMap((container) => container.env).filter(({ name }) => LEADS.test(name))
  const canary = await startBeside(kubectl, NAME, [jobOf(env, node)], signal)
  return {
    async stop(inner) {
      await canary.shell('history', 'touch /out/stop', inner)
      return canary.fetch(inner)
    },
    [Symbol.asyncDispose]: () => canary[Symbol.asyncDispose](),
  }
}

function jobOf(env: readonly object[], node: string): Manifest {
  const labels = {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': RELEASE,
    'app.kubernetes.io/component': 'canary',
    'app.kubernetes.io/part-of': 'ingot',
  }
  const container = {
    name: 'history',
    image: `ingot:${TAGS.shipped}`,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', SCRIPT],
    env,
    readinessProbe: { exec: { command: ['test', '-e', '/out/history.ndjson'] }, periodSeconds: 1 },
    resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'out', mountPath: '/out' }],
  }
  const spec = {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    nodeSelector: { 'kubernetes.io/hostname': node },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1_000,
      runAsGroup: 1_000,
      fsGroup: 1_000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container],
    volumes: [{ name: 'out', emptyDir: {} }],
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: NAME, labels },
    spec: { backoffLimit: 0, template: { metadata: { labels }, spec } },
  }
}
