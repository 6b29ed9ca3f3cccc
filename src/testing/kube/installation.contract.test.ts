/** Installs both charts with helm on a real API server: the operator comes later, and restarts nothing. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { KubeObject } from '../../kube/client/resource.ts'
import { createChartServer, RESOURCES, soon } from './installed-charts.ts'
import { shareApiServer } from './shared-api-server.ts'

const CHARTS = join(import.meta.dirname, '..', '..', '..', 'charts')
const execute = promisify(execFile)
const serverOf = shareApiServer()

interface Workload {
  readonly name: string
  readonly uid: string | undefined
  /** Rises with each change of the spec. A change of the pod template would replace the pods. */
  readonly generation: number | undefined
}

const workloadOf = ({ metadata: { name, uid, generation } }: KubeObject): Workload => ({ name, uid, generation })

test('the operator is installed beside a release, and the release is upgraded: no workload changes', async ({
  skip,
}) => {
  const { kubeconfig } = serverOf(skip)
  skip(spawnSync('helm', ['version']).status !== 0, 'helm is not installed')
  const home = mkdtempSync(join(tmpdir(), 'helm-'))
  const helm = async (...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, KUBECONFIG: kubeconfig, HELM_CACHE_HOME: home }
    const { stdout } = await execute('helm', args, { env, maxBuffer: 2 ** 26 })
    return stdout
  }
  using server = createChartServer(kubeconfig)
  const list = async (resource: (typeof RESOURCES)[keyof typeof RESOURCES]): Promise<readonly KubeObject[]> =>
    (await server.admin.list(resource, { namespace: 'shop' }, soon())).items
  const workloads = async (): Promise<readonly Workload[]> => (await list(RESOURCES.statefulSets)).map(workloadOf)
  const release = ['shop', join(CHARTS, 'ingot'), '--namespace', 'shop'] as const

  await helm('install', ...release, '--create-namespace')
  const before = await workloads()
  expect(before.map(({ name }) => name)).toContain('shop-ingot-redis')
  expect(await list(RESOURCES.roles)).toEqual([])

  const operator = ['ingot-operator', join(CHARTS, 'ingot-operator'), '--namespace', 'ingot-system'] as const
  await helm('install', ...operator, '--create-namespace')
  expect(await workloads()).toEqual(before)

  expect(await helm('upgrade', ...release)).toContain('kubectl -n shop get redistopology shop-ingot-redis')
  expect(await workloads()).toEqual(before)
  const [topology] = await list(RESOURCES.topologies)
  expect(topology?.metadata.name).toBe('shop-ingot-redis')

  // every number of Sentinels that the chart accepts is one that the kind accepts, also a smaller one
  for (const replicas of [7, 5, 3]) {
    await helm('upgrade', ...release, '--set', `redis.sentinel.replicas=${replicas},redis.replicas=${replicas}`)
  }
  await helm('uninstall', 'ingot-operator', '--namespace', 'ingot-system')
  expect((await list(RESOURCES.topologies)).map(({ spec }) => spec)).toMatchObject([{ size: 3 }])
  await helm('uninstall', 'shop', '--namespace', 'shop')
  expect(await list(RESOURCES.topologies)).toEqual([])
  rmSync(home, { recursive: true, force: true })
})
