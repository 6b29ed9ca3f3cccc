/** Programs that run in a pod of the release, with the connections of the service: the writer and the locker. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EnvVar } from '../helm.ts'
import { createObject, eventually, IMAGE_TAG, kubectl, LABELS, NAMESPACE, podsOf, RELEASE } from './cluster.ts'
import type { LockReport } from './locker.ts'
import type { Report, Verdict } from './writer.ts'

/** Resolves with the environment and the volumes by which the service reaches Redis. */
async function serviceParts() {
  const text = await kubectl(['get', 'deployment', RELEASE, '--output=json'])
  const { spec } = JSON.parse(text) as {
    spec: {
      template: {
        spec: {
          containers: { env: EnvVar[]; volumeMounts?: { name: string }[] }[]
          volumes?: { name: string }[]
        }
      }
    }
  }
  const pod = spec.template.spec
  const [container] = pod.containers
  return {
    env: container?.env.filter(({ name }) => /^(LOCK_|POSTGRES_|INGOT_LOCK_)/.test(name)) ?? [],
    mounts: container?.volumeMounts?.filter(({ name }) => name.startsWith('redis')) ?? [],
    volumes: pod.volumes?.filter(({ name }) => name.startsWith('redis')) ?? [],
  }
}

function sourceOf(program: string): string {
  const source = readFileSync(join(import.meta.dirname, `${program}.ts`), 'utf8')
  return source.replaceAll(/'(?:\.\.\/)+src\/([a-z/-]+)\.ts'/g, "'/app/dist/$1.js'")
}

/** Runs a program of this folder in a pod of its name. Resolves when the pod is ready. */
async function startProgram(program: 'writer' | 'locker'): Promise<void> {
  const { env, mounts, volumes } = await serviceParts()
  const domain = `${RELEASE}-redis-headless.${NAMESPACE}.svc.cluster.local`
  const hosts = (await podsOf('redis')).map((pod) => `${pod}.${domain}`)
  const source = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: program },
    data: { [`${program}.ts`]: sourceOf(program) },
  }
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: program, labels: { ...LABELS, 'app.kubernetes.io/component': 'canary' } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: program,
          image: `ingot:${IMAGE_TAG}`,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', `/program/${program}.ts`],
          env: [...env, { name: 'REDIS_HOSTS', value: hosts.join(',') }],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [...mounts, { name: 'program', mountPath: '/program' }],
        },
      ],
      volumes: [...volumes, { name: 'program', configMap: { name: program } }],
    },
  }
  await createObject(source)
  await createObject(pod)
  await kubectl(['wait', '--for=condition=Ready', `pod/${program}`, '--timeout=60s'], 70)
}

export async function startWriter(): Promise<void> {
  await startProgram('writer')
  await eventually('the writer writes', 90, async () => (await reportSince(Date.now() - 1_000)).acknowledged > 10)
}

/** Starts two clients that compete for locks (locker.ts). */
export async function startLocker(): Promise<void> {
  await startProgram('locker')
  await eventually('locks are granted', 90, async () => (await lockReportSince(Date.now() - 1_000)).acknowledged > 10)
}

async function request<T>(path: string, read: (body: unknown) => T, pod = 'writer'): Promise<T> {
  const program = `fetch('http://127.0.0.1:9090${path}').then(async (r) => console.log(await r.text()))`
  return read(JSON.parse(await kubectl(['exec', pod, '--', 'node', '-e', program], 60)))
}

export const lockReportSince = (since: number): Promise<LockReport> =>
  request(`/report?since=${since}`, (body) => body as LockReport, 'locker')

// the writer is of the same code, so its responses have these types
export const reportSince = (since: number): Promise<Report> =>
  request(`/report?since=${since}`, (body) => body as Report)

/** Reads back every acknowledged write. Repeats for a minute, because a refused read says nothing about loss. */
export async function verifySince(since: number): Promise<Verdict> {
  const verdicts: Verdict[] = []
  await eventually('everything that was written can be read', 60, async () => {
    verdicts.push(await request(`/verify?since=${since}`, (body) => body as Verdict))
    return true
  })
  const [verdict] = verdicts
  if (verdict === undefined) throw new Error('the writer returned no verdict')
  return verdict
}
