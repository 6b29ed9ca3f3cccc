/** A release on the kind cluster for the tests of Redis: installed, written to, hurt, looked at, and removed. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CHART, type EnvVar } from '../helm.ts'
import type { Report, Verdict } from './writer.ts'

const execute = promisify(execFile)

export const NAMESPACE = process.env['KIND_NAMESPACE'] ?? 'ingot-redis-test'
const RELEASE = 'ingot'
/** A kind context and no other: the tests delete pods and stop processes. */
export const CONTEXT = process.env['KIND_CONTEXT'] ?? 'kind-ingot'
const OURS = { 'app.kubernetes.io/name': 'ingot', 'app.kubernetes.io/instance': RELEASE }

async function command(program: string, args: readonly string[], seconds: number): Promise<string> {
  const { stdout } = await execute(program, args, { timeout: seconds * 1_000, maxBuffer: 32 * 2 ** 20 })
  return stdout.trim()
}

export const kubectl = (args: readonly string[], seconds = 60): Promise<string> =>
  command('kubectl', ['--context', CONTEXT, '--namespace', NAMESPACE, ...args], seconds)

const helm = (args: readonly string[], seconds = 120): Promise<string> =>
  command('helm', ['--kube-context', CONTEXT, '--namespace', NAMESPACE, ...args], seconds)

async function apply(manifest: object): Promise<void> {
  const text = JSON.stringify(manifest)
  await command('bash', ['-c', `kubectl --context ${CONTEXT} -n ${NAMESPACE} apply -f - <<<"$0"`, text], 60)
}

/** Asks once a second until the answer is yes; an error counts as no. */
export async function eventually(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1_000
  while (!(await holds().catch(() => false))) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(1_000)
  }
}

// --- the release -----------------------------------------------------------------------------------------------------

export type Values = Readonly<Record<string, string | number | boolean>>

const IMAGE_TAG = process.env['KIND_IMAGE_TAG'] ?? 'dev'
const FIXED: Values = { 'image.tag': IMAGE_TAG, 'service.replicas': 1, 'lock.mode': 'always' }

function valueArgs(values: Values): string[] {
  return Object.entries({ ...FIXED, ...values }).flatMap(([name, value]) => ['--set', `${name}=${value}`])
}

export async function prepareNamespace(): Promise<void> {
  await apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  })
}

export async function install(values: Values): Promise<void> {
  await helm(['install', RELEASE, CHART, ...valueArgs(values)])
  await everythingReady(300)
}

export async function upgrade(values: Values): Promise<void> {
  await helm(['upgrade', RELEASE, CHART, ...valueArgs(values)])
}

export async function remove(): Promise<void> {
  await kubectl(['delete', 'pod', 'writer', '--ignore-not-found', '--grace-period=1'])
  await helm(['uninstall', RELEASE, '--ignore-not-found', '--wait', '--timeout=120s'], 180)
  await kubectl(['delete', 'pvc,secret', '--all', '--timeout=100s'], 120)
}

/** All pods that the StatefulSets and Deployments want, ready and up to date. */
export async function everythingReady(seconds: number): Promise<void> {
  const names = await kubectl(['get', 'statefulset,deployment', '--output=name'])
  const end = Date.now() + seconds * 1_000
  for (const name of names.split('\n')) {
    const left = Math.max(1, Math.round((end - Date.now()) / 1_000))
    await kubectl(['rollout', 'status', name, `--timeout=${left}s`], left + 10)
  }
}

// --- pods ------------------------------------------------------------------------------------------------------------

export async function podsOf(component: string): Promise<string[]> {
  const names = await kubectl(['get', 'pods', '-l', `app.kubernetes.io/component=${component}`, '--output=name'])
  return names
    .split('\n')
    .filter((name) => name !== '')
    .map((name) => name.slice('pod/'.length))
}

/** A command of the pods' own library: files/redis/lib.sh. */
export async function inPod(pod: string, script: string): Promise<string> {
  return kubectl(['exec', pod, '--', 'sh', '-c', `. /etc/ingot/redis/lib.sh; ${script}`], 20)
}

export async function roleOf(pod: string): Promise<string> {
  return (await inPod(pod, 'local_cli ROLE')).split('\n')[0] ?? ''
}

/** The one pod that says of itself that it is master; throws when there is another number of them. */
export async function theMaster(): Promise<string> {
  const pods = await podsOf('redis')
  const roles = await Promise.all(pods.map((pod) => roleOf(pod)))
  const masters = pods.filter((_, index) => roles[index] === 'master')
  if (masters[0] === undefined || masters.length > 1) throw new Error(`masters: ${masters.join(', ') || 'none'}`)
  return masters[0]
}

const uidOf = (pod: string): Promise<string> => kubectl(['get', 'pod', pod, '--output=jsonpath={.metadata.uid}'])

/** Waits until a pod of that name is there that is not the one from before. */
export async function replaced(pod: string, uid: string): Promise<void> {
  await eventually(`${pod} is a new pod`, 60, async () => (await uidOf(pod)) !== uid)
}

export async function deletePod(pod: string, how: 'gracefully' | 'by force'): Promise<void> {
  const uid = await uidOf(pod)
  await kubectl(['delete', 'pod', pod, ...(how === 'by force' ? ['--force', '--grace-period=0'] : [])], 120)
  await replaced(pod, uid)
}

export async function deleteAll(components: readonly string[]): Promise<void> {
  const selector = `app.kubernetes.io/component in (${components.join(',')})`
  await kubectl(['delete', 'pods', '-l', selector, '--force', '--grace-period=0'], 120)
}

/** Sends a signal to the server of a pod from the node, where no preStop hears of it. */
export async function signal(pod: string, name: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
  const node = await kubectl(['get', 'pod', pod, '--output=jsonpath={.spec.nodeName}'])
  const uid = (await uidOf(pod)).replaceAll('-', '.')
  const find = `for p in /proc/[0-9]*; do grep -q "pod${uid}" $p/cgroup 2>/dev/null || continue
    case $(cat $p/comm) in redis-server|valkey-server) kill -${name} "\${p#/proc/}" && echo sent;; esac; done`
  const sent = await command('docker', ['exec', node, 'sh', '-c', find], 30)
  if (sent === '') throw new Error(`no server found in ${pod} on ${node}`)
}

// --- the writer ------------------------------------------------------------------------------------------------------

/** What the chart gives the service to reach Redis, volumes included. */
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
    env: container?.env.filter(({ name }) => name.startsWith('LOCK_') || name === 'INGOT_LOCK_URL') ?? [],
    mounts: container?.volumeMounts?.filter(({ name }) => name.startsWith('redis')) ?? [],
    volumes: pod.volumes?.filter(({ name }) => name.startsWith('redis')) ?? [],
  }
}

function writerSource(): string {
  const source = readFileSync(join(import.meta.dirname, 'writer.ts'), 'utf8')
  return source.replaceAll(/'(?:\.\.\/)+src\/([a-z/-]+)\.ts'/g, "'/app/dist/$1.js'")
}

export async function startWriter(): Promise<void> {
  const { env, mounts, volumes } = await serviceParts()
  const domain = `${RELEASE}-redis-headless.${NAMESPACE}.svc.cluster.local`
  const hosts = (await podsOf('redis')).map((pod) => `${pod}.${domain}`)
  await apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'writer' },
    data: { 'writer.ts': writerSource() },
  })
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'writer', labels: { ...OURS, 'app.kubernetes.io/component': 'canary' } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'writer',
          image: `ingot:${IMAGE_TAG}`,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '/writer/writer.ts'],
          env: [...env, { name: 'REDIS_HOSTS', value: hosts.join(',') }],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [...mounts, { name: 'writer', mountPath: '/writer' }],
        },
      ],
      volumes: [...volumes, { name: 'writer', configMap: { name: 'writer' } }],
    },
  })
  await kubectl(['wait', '--for=condition=Ready', 'pod/writer', '--timeout=60s'], 70)
  await eventually('the writer writes', 90, async () => (await reportSince(Date.now() - 1_000)).acknowledged > 10)
}

async function ask<T>(path: string, read: (answer: unknown) => T): Promise<T> {
  const program = `fetch('http://127.0.0.1:9090${path}').then(async (r) => console.log(await r.text()))`
  return read(JSON.parse(await kubectl(['exec', 'writer', '--', 'node', '-e', program], 60)))
}

// the writer's own types: it is the other half of this file
export const reportSince = (since: number): Promise<Report> => ask(`/report?since=${since}`, (body) => body as Report)

/** Reads everything that was acknowledged. A read that Redis refuses is repeated for a minute: it says nothing about loss. */
export async function verifySince(since: number): Promise<Verdict> {
  const verdicts: Verdict[] = []
  await eventually('everything that was written can be read', 60, async () => {
    verdicts.push(await ask(`/verify?since=${since}`, (body) => body as Verdict))
    return true
  })
  const [verdict] = verdicts
  if (verdict === undefined) throw new Error('the writer returned no verdict')
  return verdict
}
