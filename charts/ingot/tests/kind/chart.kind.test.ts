/** The chart as its users meet it: dry run, install, `helm test`, upgrade, and what a stranger's pod can reach. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNamespace, kindCluster, need, provideImage, reachAsStranger, reachFrom, run } from './machine.ts'

const NAMESPACE = 'ingot-chart-test'
const OTHER = 'ingot-chart-test-other'
/** Everything that the chart can bring along, small. */
const VALUES = {
  service: { replicas: 2 },
  store: { mode: 'http' },
  legacyBackend: { enabled: true },
  lock: { fences: { mode: 'postgres' } },
  redis: { mode: 'standalone' },
}

const cleanUp = new DisposableStack()
let values: object = {}

function helmApply(changes: object = {}): void {
  const args = ['upgrade', '--install', 'ingot', 'charts/ingot', '-n', NAMESPACE, '--values', '-', '--wait']
  need('helm', [...args, '--timeout', '4m'], JSON.stringify({ ...values, ...changes }), 260)
}

const jsonPath = (object: string, path: string): string =>
  need('kubectl', ['get', '-n', NAMESPACE, object, '-o', `jsonpath={${path}}`])

beforeAll(() => {
  kindCluster()
  const image = provideImage()
  values = { ...VALUES, image }
  for (const name of [NAMESPACE, OTHER]) cleanUp.use(createNamespace(name))
  helmApply()
})

afterAll(() => cleanUp.dispose())

test('the API server takes every set of values, and the plain manifests', () => {
  const { status, out, err } = run('node', ['tools/dry-run-chart.mjs'], '', 200)
  expect([status, err], out).toEqual([0, ''])
})

test('helm test posts an item, reads it back and finds one master', () => {
  const out = need('helm', ['test', 'ingot', '-n', NAMESPACE, '--logs', '--timeout', '3m'], '', 200)
  for (const line of ['a new item is created', 'the same item is a duplicate', 'reads back', 'Redis has one master']) {
    expect(out).toContain(`ok: ${line}`.replace('ok: reads', 'reads'))
  }
})

describe('the network', () => {
  const at = (name: string, port: number): string => `${name}.${NAMESPACE}.svc.cluster.local:${port}`
  const inner = [
    at('ingot-postgres', 5_432),
    at('ingot-redis-0.ingot-redis-headless', 6_379),
    at('ingot-legacy', 9_090),
  ]

  test('lets the service reach what it stands on', () => {
    expect(reachFrom(NAMESPACE, 'deployment/ingot', inner)).toEqual(['open', 'open', 'open'])
  })

  test.each([
    ['of the same namespace', NAMESPACE],
    ['of another namespace', OTHER],
  ])('lets a stranger %s reach the service, and nothing behind it', (_whose, namespace) => {
    const [front, ...behind] = reachAsStranger(namespace, [at('ingot', 80), ...inner])
    expect(front).toBe('open')
    expect(behind).not.toContain('open')
  })

  test('lets Postgres and the legacy backend go nowhere', () => {
    expect(reachFrom(NAMESPACE, 'deployment/ingot-legacy', [at('ingot', 80), ...inner])).not.toContain('open')
  })
})

test('an upgrade keeps token, passwords and the pods that it does not change', () => {
  const state = (): string[] => [
    jsonPath('secret/ingot-token', '.data.token'),
    jsonPath('secret/ingot-postgres', '.data.password'),
    jsonPath('pod/ingot-postgres-0', '.metadata.uid'),
    jsonPath('pod/ingot-redis-0', '.metadata.uid'),
  ]
  const before = state()
  const generation = jsonPath('deployment/ingot', '.metadata.generation')
  helmApply({ service: { ...VALUES.service, config: { maxDepth: 64 } } })
  expect(state()).toEqual(before)
  expect(jsonPath('deployment/ingot', '.metadata.generation')).not.toBe(generation)
  expect(jsonPath('deployment/ingot', '.status.updatedReplicas')).toBe('2')
})
