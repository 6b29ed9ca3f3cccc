/** The observation of a topology: a real API server, and real Redis servers and Sentinels as its pods. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Resource } from '../../kube/client/resource.ts'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { untilTrue } from '../../std/until.ts'
import { lastingTerm, type OperatedTopologies, startOperatedTopologies } from '../../testing/kube/operated-topology.ts'
import { present } from '../../testing/present.ts'
import { createCertificates } from '../../testing/redis/certificates.ts'
import { type SentinelServers, startSentinel, startStandalone } from '../../testing/redis/servers.ts'
import { REDIS_TOPOLOGIES } from '../kinds/redis-topology.ts'

const SECRETS: Resource = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }
const NAMESPACE = 'default'
const SOON = { withinMs: 30_000, everyMs: 100 }
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

// longer than the waits of a test together, so that the one that is missing fails
vi.setConfig({ testTimeout: 600_000 })

const scope = createScope()
let absent: string | undefined
let operated: OperatedTopologies
let servers: SentinelServers

beforeAll(async () => {
  const [kube, redis] = await Promise.all([
    startOperatedTopologies(lastingTerm()),
    startSentinel({ program: 'redis-server' }),
  ])
  for (const one of [kube, redis]) if (!('absent' in one)) scope.defer(() => one[Symbol.asyncDispose]())
  if ('absent' in kube || 'absent' in redis) {
    absent = 'absent' in kube ? kube.absent : 'there is no redis-server'
    return
  }
  operated = kube
  servers = redis
  await operated.createPods('redis', 'redis', redis.ports)
  await operated.createPods('sentinel', 'sentinel', redis.sentinels)
})
beforeEach(({ skip }) => void present(absent === undefined ? {} : { absent }, skip))
afterAll(() => scope.close())

const SPEC = {
  mode: 'Sentinel',
  statefulSet: 'redis',
  size: 3,
  sentinel: { statefulSet: 'sentinel', replicas: 3, quorum: 2 },
  policy: 'Observe',
}

test('reports roles, lag and Sentinels of healthy servers, and then writes nothing more', async () => {
  await operated.create('healthy', SPEC)
  const status = await operated.untilCondition('healthy', 'FailoverPossible', 'True ReplicaInSync')
  expect(status).toMatchObject({
    size: 3,
    selector: 'app=redis',
    servers: [{ pod: 'redis-0', role: 'primary' }, { role: 'replica', linked: true }, { role: 'replica' }],
    sentinels: { reachable: 3, known: 3, agreed: 3, canFailOver: true },
  })
  const version = async (): Promise<string | undefined> =>
    (await operated.api.get(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name: 'healthy' }, soon()))?.metadata
      .resourceVersion
  const before = await version()
  await systemClock.sleep(4_000)
  expect(await version()).toBe(before)
  await operated.api.delete(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name: 'healthy' }, soon())
})

test('says why a topology cannot be observed, and recovers when the cause is gone', async () => {
  await operated.create('elsewhere', { ...SPEC, statefulSet: 'missing' })
  await operated.create('secretive', { ...SPEC, auth: { secretName: 'login' } })
  await operated.untilCondition('elsewhere', 'Stalled', 'True PodsMissing')
  await operated.untilCondition('secretive', 'Stalled', 'True SecretMissing')
  const secret = { name: 'login', namespace: NAMESPACE }
  await operated.api.apply(SECRETS, { metadata: secret, data: { other: 'eA==' } }, soon())
  await operated.untilCondition('secretive', 'Stalled', 'True SecretIncomplete')
  await operated.api.apply(SECRETS, { metadata: secret, data: { 'operator-password': 'd3Jvbmc=' } }, soon())
  const refused = await operated.untilCondition('secretive', 'Stalled', 'True AccessRefused')
  expect(JSON.stringify(refused)).not.toContain('wrong')
  for (const port of [...servers.ports, ...servers.sentinels]) {
    await servers.cli(port, 'acl', 'setuser', 'operator', 'on', '>wrong', '+@all', '~*', '&*')
  }
  await operated.untilCondition('secretive', 'Ready', 'True Healthy')
  await operated.untilCondition('secretive', 'Stalled', 'False Observed')
})

test('reports a primary that dies, and its successor', async () => {
  await operated.create('failing', SPEC)
  await operated.untilCondition('failing', 'Ready', 'True Healthy')
  const primary = await servers.master()
  await servers.signal(primary, 'KILL')
  await operated.untilCondition('failing', 'Ready', 'False ServersMissing')
  const followed = async (): Promise<boolean> => {
    const { primaries = [] } = await operated.statusOf('failing')
    return primaries.length === 1 && primaries[0]?.pod !== 'redis-0'
  }
  await untilTrue('another primary', followed, SOON)
  await servers.restart(primary)
})

test('an operator that only observes has another name, and changes no label', async () => {
  await operated.create('watched', SPEC)
  await operated.untilCondition('watched', 'Ready', 'True Healthy')
  const clients = await servers.cli(await servers.master(), 'client', 'list')
  expect(clients).toContain('name=ingot-observer:7')
  expect(clients).not.toContain('name=ingot-operator:')
  expect((await operated.labelsOf('redis-0'))['ingot.dev/role']).toBeUndefined()
})

test('connects by TLS to the name of the pod, and says why it cannot', async ({ skip }) => {
  using certificates = createCertificates(['tls-0.tls.default.svc.cluster.local'])
  const files = ['ca.pem', 'server.pem', 'server.key'].map((name) => [`/tls/${name}`, certificates.read(name)] as const)
  const config = ['tls-ca-cert-file /tls/ca.pem', 'tls-cert-file /tls/server.pem', 'tls-key-file /tls/server.key']
  const server = await startStandalone({
    tls: true,
    config: [...config, 'tls-auth-clients no'],
    files: Object.fromEntries(files),
    cliArgs: ['--tls', '--cacert', '/tls/ca.pem'],
  })
  await using redis = present(server, skip)
  await operated.createPods('tls', 'redis', redis.ports)
  const secretOf = (name: string, file: string) => {
    const data = { 'ca.crt': Buffer.from(certificates.read(file)).toString('base64') }
    return operated.api.apply(SECRETS, { metadata: { name, namespace: NAMESPACE }, data }, soon())
  }
  await secretOf('authority', 'ca.pem')
  await secretOf('stranger', 'other-ca.pem')
  const spec = { mode: 'Standalone', statefulSet: 'tls', size: 1 }
  await operated.create('trusted', { ...spec, tls: { secretName: 'authority' } })
  await operated.create('renamed', { ...spec, tls: { secretName: 'authority' }, clusterDomain: 'other.local' })
  await operated.create('distrusted', { ...spec, tls: { secretName: 'stranger' } })
  await operated.untilCondition('trusted', 'Ready', 'True Healthy')
  await operated.untilCondition('renamed', 'Stalled', 'True TlsRefused')
  await operated.untilCondition('distrusted', 'Stalled', 'True TlsRefused')
}, 120_000)
