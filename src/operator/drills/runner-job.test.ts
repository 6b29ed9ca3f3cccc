import { expect, test } from 'vitest'
import { serviceFacts } from './release.ts'
import { type JobFacts, jobNameOf, runnerJob, undoJob } from './runner-job.ts'

const secret = (name: string, key: string) => ({ secretKeyRef: { name, key } })
const CONTAINER = {
  name: 'ingot',
  image: 'registry/ingot:1',
  imagePullPolicy: 'Always',
  env: [
    { name: 'INGOT_CONFIG', value: '/etc/ingot/config/config.json' },
    { name: 'POSTGRES_PASSWORD', valueFrom: secret('shop-postgres', 'password') },
    { name: 'INGOT_STORE_URL', value: 'postgres://ingot:$(POSTGRES_PASSWORD)@shop-postgres/ingot' },
    { name: 'LOCK_PASSWORD', valueFrom: secret('shop-redis', 'password') },
    {
      name: 'INGOT_LOCK_URL',
      value: 'rediss+sentinel://ingot:$(LOCK_PASSWORD)@shop-sentinel-0.shop.svc.example.org:26379/ingot',
    },
    { name: 'AWS_SECRET', value: 'not for drills' },
  ],
  volumeMounts: [
    { name: 'config', mountPath: '/etc/ingot/config' },
    { name: 'redis-tls', mountPath: '/etc/ingot/redis-tls', readOnly: true },
  ],
}
const POD = {
  containers: [CONTAINER],
  volumes: [{ name: 'config' }, { name: 'redis-tls', secret: { secretName: 'shop-tls' } }],
  imagePullSecrets: [{ name: 'login' }],
  securityContext: { runAsUser: 1000, fsGroup: 1000 },
}

function factsOf(spec: Partial<JobFacts['spec']> = {}, name = 'weekly'): JobFacts {
  const service = serviceFacts({ metadata: { name: 'shop' }, spec: { template: { spec: POD } } })
  if (service === undefined) throw new Error('the Deployment is not read')
  const drill = { name, namespace: 'shop', uid: '6b3f1d0e' }
  return { drill, spec: { target: { release: 'shop' }, scenario: 'D1', ...spec }, service }
}

interface Container {
  readonly name: string
  readonly restartPolicy?: string
  readonly image: string
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[]
  readonly volumeMounts: readonly { readonly name: string }[]
  readonly resources: { readonly limits: unknown }
  readonly securityContext: unknown
}

function podOf(job: object) {
  const { spec } = job as { spec: { activeDeadlineSeconds: number; backoffLimit: number; template: { spec: object } } }
  const pod = spec.template.spec as {
    initContainers: Container[]
    containers: [Container]
    volumes: { name: string }[]
  }
  return { spec, pod, runner: pod.containers[0] }
}

test('the runner is restricted, ends by itself, and has k6 and a canary beside it', () => {
  const { spec, pod, runner } = podOf(runnerJob(factsOf({ load: { maxDuration: '10m', image: 'mirror/k6:2' } })))
  expect(spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 2_400, ttlSecondsAfterFinished: 3_600 })
  expect(pod).toMatchObject({
    serviceAccountName: 'shop-drill',
    restartPolicy: 'Never',
    imagePullSecrets: [{ name: 'login' }],
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
  })
  expect(pod.initContainers.map(({ name, restartPolicy }) => `${name} ${restartPolicy}`)).toEqual([
    'k6 Always',
    'canary Always',
  ])
  for (const { securityContext } of [...pod.initContainers, runner]) {
    expect(securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  }
  expect(pod.initContainers[0]?.image).toBe('mirror/k6:2')
  const limits = [...pod.initContainers, runner].map(({ resources }) => resources.limits)
  expect(limits).toEqual([{ memory: '1Gi' }, { memory: '256Mi' }, { memory: '512Mi' }])
})

test('the runner gets what it needs of the environment of the service, and nothing else', () => {
  const { runner, pod } = podOf(runnerJob(factsOf({ load: { token: { secretName: 'token' } } })))
  expect(runner.env.map(({ name }) => name)).toEqual([
    'POD_NAMESPACE',
    'POD_NAME',
    'POSTGRES_PASSWORD',
    'INGOT_STORE_URL',
    'LOCK_PASSWORD',
    'INGOT_LOCK_URL',
    'INGOT_DRILL_REDIS_PASSWORD',
    'INGOT_DRILL_REDIS_CA',
    'INGOT_DRILL_CLUSTER_DOMAIN',
    'INGOT_DRILL_TOKEN',
  ])
  const valueOf = (name: string) => runner.env.find((one) => one.name === name)
  expect(valueOf('INGOT_DRILL_REDIS_PASSWORD')?.valueFrom).toEqual({
    secretKeyRef: { name: 'shop-redis', key: 'drill-password', optional: true },
  })
  expect(valueOf('INGOT_DRILL_REDIS_CA')?.value).toBe('/etc/ingot/redis-tls/ca.crt')
  expect(valueOf('INGOT_DRILL_CLUSTER_DOMAIN')?.value).toBe('example.org')
  expect(runner.volumeMounts.map(({ name }) => name)).toEqual(['out', 'tmp', 'redis-tls'])
  expect(pod.volumes.map(({ name }) => name)).toEqual(['out', 'tmp', 'redis-tls'])
})

test('the token is that of the chart, unless the drill names a Secret', () => {
  const tokenOf = (load: object) =>
    podOf(runnerJob(factsOf({ load }))).runner.env.find(({ name }) => name === 'INGOT_DRILL_TOKEN')?.valueFrom
  expect(tokenOf({})).toEqual({ secretKeyRef: { name: 'shop-token', key: 'drill-token', optional: true } })
  expect(tokenOf({ token: { secretName: 'mine' } })).toEqual({ secretKeyRef: { name: 'mine', key: 'token' } })
})

test('a report in a claim or a bucket has a volume or keys', () => {
  const claim = podOf(runnerJob(factsOf({ report: { store: 'Claim', claimName: 'reports' } })))
  expect(claim.pod.volumes).toContainEqual({ name: 'report', persistentVolumeClaim: { claimName: 'reports' } })
  const bucket = { url: 'https://s3.example/x', secretName: 'keys' }
  const { runner } = podOf(runnerJob(factsOf({ report: { store: 'Bucket', bucket } })))
  expect(JSON.stringify(runner.env)).toContain('"key":"secretAccessKey"')
})

test('a drill without load has no k6, and an undo has no sidecar', () => {
  const idle = podOf(runnerJob(factsOf({ load: { kind: 'None' } })))
  expect(idle.pod.initContainers.map(({ name }) => name)).toEqual(['canary'])
  const undo = undoJob(factsOf(), 3)
  expect(undo.metadata).toMatchObject({
    name: 'weekly-undo-3',
    labels: { 'ingot.dev/drill-role': 'undo', 'app.kubernetes.io/component': 'drill' },
    ownerReferences: [{ kind: 'FailoverDrill', name: 'weekly', uid: '6b3f1d0e', controller: true }],
  })
  expect(podOf(undo)).toMatchObject({
    spec: { activeDeadlineSeconds: 60 },
    pod: { initContainers: [] },
    runner: { name: 'runner', command: ['node', 'dist/cli.js', 'drill', 'undo', '--resource', 'weekly'] },
  })
})

test('names of Jobs are labels, also for long names of drills', () => {
  const names = ['weekly', 'a.b', 'x'.repeat(59), 'x'.repeat(60), 'x'.repeat(253)].map((name) =>
    jobNameOf({ name, namespace: 'shop', uid: name }, 'undo-10'),
  )
  for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])$/)
  expect(new Set(names).size).toBe(names.length)
})
