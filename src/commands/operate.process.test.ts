/** `ingot operate` as processes, on a real API server. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../kube/client/api.ts'
import { createKubeConnection } from '../kube/client/connection.ts'
import { DEFINITIONS } from '../kube/crd/definition.ts'
import { LEASES } from '../kube/runtime/leadership-term.ts'
import { definitions } from '../operator/installed.ts'
import { REDIS_TOPOLOGIES } from '../operator/kinds/redis-topology.ts'
import { systemClock } from '../std/clock.ts'
import { createScope } from '../std/scope.ts'
import { untilTrue } from '../std/until.ts'
import { ask } from '../testing/http/requests.ts'
import { startBareApiServer } from '../testing/kube/bare-api-server.ts'
import { present } from '../testing/present.ts'
import { endProcesses, type Running, runIngot, startIngot } from '../testing/process.ts'

endProcesses()

const AT = { namespace: 'default', name: 'ingot-operator' }
const SOON = { withinMs: 40_000, everyMs: 200 }
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

const scope = createScope()
let absent: string | undefined
let api: KubeApi
let env: Readonly<Record<string, string>>

beforeAll(async () => {
  const server = await startBareApiServer()
  if ('absent' in server) {
    absent = server.absent
    return
  }
  scope.defer(() => server[Symbol.asyncDispose]())
  env = { KUBECONFIG: server.kubeconfig, INGOT_LISTEN: '127.0.0.1:0' }
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
  scope.defer(() => connection[Symbol.dispose]())
  api = createKubeApi(connection)
})
beforeEach(({ skip }) => void present(absent === undefined ? {} : { absent }, skip))
afterAll(() => scope.close())

async function holder(): Promise<string> {
  const lease = await api.get(LEASES, AT, soon())
  const { holderIdentity = '' } = (lease?.['spec'] ?? {}) as { readonly holderIdentity?: string }
  return holderIdentity.split('_')[0] ?? ''
}

interface Started extends Running {
  readonly url: string
}

async function start(name: string, args: readonly string[] = []): Promise<Started> {
  const running = startIngot(['operate', ...args], { ...env, POD_NAME: name })
  let url = ''
  const isListening = async (): Promise<boolean> => {
    url = /"url":"(http:[^"]+)"/.exec(running.stdout())?.[1] ?? ''
    return url !== ''
  }
  await untilTrue(`${name} to listen`, isListening, SOON)
  return { ...running, url }
}

test('without the definitions of its version it ends with what to do', async () => {
  const missing = await runIngot(['operate'], env)
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('--print-crds') as unknown })
  const [old] = definitions('0.0.1')
  if (old !== undefined) await api.apply(DEFINITIONS, old, soon())
  const older = await runIngot(['operate'], env)
  expect(older).toMatchObject({ code: 2, stderr: expect.stringContaining('of version 0.0.1, older than') as unknown })
})

test.each([
  [['--namespaces', 'shop,No'], {}, '--namespaces has "No"'],
  [[], { INGOT_LISTEN: 'nowhere' }, 'INGOT_LISTEN: "nowhere" is not host:port'],
  [[], { KUBECONFIG: '/nonexistent' }, 'KUBECONFIG'],
] as const)('%j with %j is refused', async (args, more, says) => {
  const { code, stderr } = await runIngot(['operate', ...args], { ...env, ...more })
  expect(stderr).toContain(says)
  expect(code).toBe(2)
})

test('prints definitions that the API server takes, and then reports a topology', async () => {
  const { stdout } = await runIngot(['operate', '--print-crds'], env)
  const { items } = JSON.parse(stdout) as { readonly items: ReturnType<typeof definitions> }
  for (const item of items) await api.apply(DEFINITIONS, item, soon())
  const running = await start('first', ['--namespaces', 'default,other'])
  const spec = { mode: 'Standalone', statefulSet: 'none', size: 1 }
  const create = () => api.create(REDIS_TOPOLOGIES, { metadata: { namespace: 'default', name: 'one' }, spec }, soon())
  await untilTrue('the topology to be created', async () => (await create()).metadata.uid !== undefined, SOON)
  const isReported = async (): Promise<boolean> =>
    JSON.stringify(await api.get(REDIS_TOPOLOGIES, { namespace: 'default', name: 'one' }, soon())).includes(
      'PodsMissing',
    )
  await untilTrue('its status', isReported, SOON)
  await untilTrue('readiness', async () => (await ask(`${running.url}/readyz`)).status === 200, SOON)
  expect((await ask(`${running.url}/healthz`)).status).toBe(200)
  const metrics = (await ask(`${running.url}/metrics`)).body.toString()
  expect(metrics).toContain('ingot_operator_leader 1')
  expect(metrics).toMatch(/ingot_operator_watch_stale_seconds\{resource="ingot.dev\/v1alpha1\/redistopologies"\} \d/)
  running.kill('SIGTERM')
  expect(await running.finished).toMatchObject({ code: 0 })
  expect(await holder()).toBe('')
})

test('another process leads after the leader was killed, and at once after a clean end', async () => {
  const first = await start('first')
  await untilTrue('first to lead', async () => (await holder()) === 'first', SOON)
  const second = await start('second')
  first.kill('SIGKILL')
  await first.finished
  await untilTrue('second to lead', async () => (await holder()) === 'second', SOON)
  const third = await start('third')
  second.kill('SIGTERM')
  await second.finished
  await untilTrue('third to lead', async () => (await holder()) === 'third', { withinMs: 10_000, everyMs: 100 })
  const lease = await api.get(LEASES, AT, soon())
  expect(lease?.['spec']).toMatchObject({ leaseTransitions: 4 })
  third.kill('SIGTERM')
  await third.finished
})
