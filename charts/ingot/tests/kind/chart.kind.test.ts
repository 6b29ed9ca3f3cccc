/** The chart as its users use it: dry run, install, `helm test`, upgrade, and what pods outside the release can reach. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../../../../src/drill/checkout.ts'
import type { StatusReport } from '../../../../src/inspect/status/report.ts'
import type { Kubectl } from '../../../../src/kube/kubectl.ts'
import { createProgram } from '../../../../src/std/run-program.ts'
import { CHART } from '../helm.ts'
import { HELM_TEST_CHECKS } from '../helm-test-checks.ts'
import { connectKind, createNamespace, provideImage, reachFrom, reachFromOutside, within } from './machine.ts'

const NAMESPACE = 'ingot-chart-test'
const OTHER = 'ingot-chart-test-other'
/** All optional components of the chart, with few replicas. */
const VALUES = {
  service: { replicas: 2 },
  store: { mode: 'http' },
  legacyBackend: { enabled: true },
  lock: { fences: { mode: 'postgres' } },
  redis: { mode: 'standalone' },
}

const cleanUp = new AsyncDisposableStack()
const helm = createProgram('helm', 'install helm 4 or 3, and put it on the PATH')
const node = createProgram(process.execPath, 'install Node')
let values: object = {}
let kubectl: Kubectl
let kubectlOfOther: Kubectl

async function helmApply(changes: object = {}): Promise<void> {
  const args = ['upgrade', '--install', 'ingot', CHART, '-n', NAMESPACE, '--values', '-', '--wait']
  const input = JSON.stringify({ ...values, ...changes })
  await helm([...args, '--timeout', '4m', '--kube-context', kubectl.context], { ...within(260), input })
}

const jsonPath = (object: string, path: string): Promise<string> =>
  kubectl.run(['get', object, '-o', `jsonpath={${path}}`], within())

beforeAll(async () => {
  const kubectlFor = await connectKind()
  kubectl = kubectlFor(NAMESPACE)
  kubectlOfOther = kubectlFor(OTHER)
  values = { ...VALUES, image: await provideImage(kubectl) }
  for (const one of [kubectl, kubectlOfOther]) cleanUp.use(await createNamespace(one))
  await helmApply()
}, 1_300_000)

afterAll(() => cleanUp.disposeAsync())

test('the API server accepts every set of values, and the plain manifests', async () => {
  await expect(node([`${ROOT}/tools/dry-run-chart.mjs`], within(200))).resolves.toBeDefined()
})

test('helm test posts an item, reads it back and finds one primary', async () => {
  const out = await helm(['test', 'ingot', '-n', NAMESPACE, '--logs', '--timeout', '3m'], within(200))
  for (const check of HELM_TEST_CHECKS) expect(out).toContain(`ok: ${check}`)
})

test('kubectl ingot status reads the state of each replica from its API', async () => {
  const line = [`${ROOT}/src/cli.ts`, 'kube', 'status', '-n', NAMESPACE, '--context', kubectl.context, '-o', 'json']
  const { service, notRead } = JSON.parse(await node(line, within(60))) as StatusReport
  expect(service.pods).toHaveLength(2)
  for (const pod of service.pods) expect(pod).toMatchObject({ state: 'serving', storeAvailable: true })
  expect(notRead).toEqual([])
})

describe('the network', () => {
  const at = (name: string, port: number): string => `${name}.${NAMESPACE}.svc.cluster.local:${port}`
  const inner = [
    at('ingot-postgres', 5_432),
    at('ingot-redis-0.ingot-redis-headless', 6_379),
    at('ingot-legacy', 9_090),
  ]

  test('lets the service reach its store, Redis and the external store', async () => {
    expect(await reachFrom(kubectl, 'deployment/ingot', inner)).toEqual(['open', 'open', 'open'])
  })

  test.each([
    ['of the same namespace', () => kubectl],
    ['of another namespace', () => kubectlOfOther],
  ])('lets other pods %s reach the service, and nothing behind it', async (_whose, from) => {
    const [front, ...behind] = await reachFromOutside(from(), [at('ingot', 80), ...inner])
    expect(front).toBe('open')
    expect(behind).not.toContain('open')
  })

  test('lets Postgres and the legacy backend connect to nothing', async () => {
    expect(await reachFrom(kubectl, 'deployment/ingot-legacy', [at('ingot', 80), ...inner])).not.toContain('open')
  })
})

test('an upgrade keeps the token, the passwords, and the pods that it does not change', async () => {
  const state = (): Promise<string[]> =>
    Promise.all([
      jsonPath('secret/ingot-token', '.data.token'),
      jsonPath('secret/ingot-postgres', '.data.password'),
      jsonPath('pod/ingot-postgres-0', '.metadata.uid'),
      jsonPath('pod/ingot-redis-0', '.metadata.uid'),
    ])
  const before = await state()
  const generation = await jsonPath('deployment/ingot', '.metadata.generation')
  await helmApply({ service: { ...VALUES.service, config: { maxDepth: 64 } } })
  expect(await state()).toEqual(before)
  expect(await jsonPath('deployment/ingot', '.metadata.generation')).not.toBe(generation)
  expect(await jsonPath('deployment/ingot', '.status.updatedReplicas')).toBe('2')
})
