/**
 * Runs the canary as a Job of its own beside the service. It is not a part of the release, because upgrades would
 * replace it. It connects to Redis like the service, with the service's own settings.
 */
import { Type } from 'typebox'
import type { Kubectl } from '../../../kube/kubectl.ts'
import { historyJob } from '../../sources/job.ts'
import type { Canary } from '../home.ts'
import { startBeside } from './recorder-job.ts'

export interface CanaryJobOptions {
  /** Name of the Job. Default: canary. */
  readonly name?: string
  readonly release: string
  /** Name of the service's Deployment, whose settings the canary has. */
  readonly deployment: string
  /** Image of ingot. */
  readonly image: string
  /** Node of the Job. Default: any. */
  readonly node?: string | undefined
}

/** Writes per second. */
const RATE = 10
/** Matches settings with the URLs of Redis and of the fence store, and with their passwords. */
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

/** Writes events immediately. The file gets the name of a history when it is complete. */
const MAKE = `node dist/cli.js drill canary --rate ${RATE} --stop-file /out/stop --out /out/canary.ndjson &&
mv /out/canary.ndjson /out/history.ndjson`

/** Resolves when Redis has acknowledged a write of the canary. */
export async function startCanary(
  kubectl: Kubectl,
  { name: job = 'canary', release, deployment, image, node }: CanaryJobOptions,
  signal: AbortSignal,
): Promise<Canary> {
  const args = ['get', 'deployment', deployment]
  const { spec } = await kubectl.read(DEPLOYMENT, args, { signal })
  const env = spec.template.spec.containers.flatMap((container) => container.env).filter(({ name }) => LEADS.test(name))
  const manifest = historyJob({
    name: job,
    namespace: kubectl.namespace,
    release,
    component: 'canary',
    image,
    make: MAKE,
    env,
    ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
  })
  const canary = await startBeside(kubectl, job, [manifest], signal)
  const missing = 'Redis has acknowledged no write of the canary'
  await canary.recorded({ container: 'history', file: '/out/canary.ndjson', text: '"ok"', missing }, signal)
  return {
    async stop(inner) {
      await canary.shell('history', 'touch /out/stop', inner)
      return canary.fetch(inner)
    },
    [Symbol.asyncDispose]: () => canary[Symbol.asyncDispose](),
  }
}
