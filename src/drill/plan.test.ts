import { expect, test } from 'vitest'
import {
  ciPlan,
  controlsFor,
  describeFaults,
  FAULT_NAMES,
  FAULTS,
  fullPlan,
  type Run,
  runsOf,
  setupName,
  whyNotFault,
} from './plan.ts'

const names = (runs: readonly Run[]): readonly string[] =>
  runs.flatMap((run) => run.faults.map((fault) => `${setupName(run)}-${fault}`))

test('CI runs all faults on Sentinel, four on Cluster, and kills and deletions of the primary with an http store', () => {
  const cases = names(ciPlan())
  for (const fault of FAULT_NAMES) expect(cases).toContain(`sentinel-postgres-auto-${fault}`)
  for (const fault of ['primary-kill', 'primary-delete', 'redis-all-kill', 'node-freeze']) {
    expect(cases).toContain(`cluster-postgres-auto-${fault}`)
  }
  expect(cases).toContain('sentinel-http-auto-primary-kill')
})

test('CI runs every kind of negative control once', () => {
  const controls = ciPlan().flatMap((run) => run.controls.map(({ name, expected }) => `${name} ${expected}`))
  expect(controls.toSorted()).toEqual([
    'answer-before-commit violated',
    'no-lock violated',
    'skipped-fault inconclusive',
  ])
})

test('the full matrix has every mode, and no case twice', () => {
  const cases = names(fullPlan())
  expect(new Set(cases).size).toBe(cases.length)
  for (const setup of [
    'sentinel-postgres-always',
    'cluster-postgres-always',
    'cluster-http-auto',
    'standalone-http-auto',
  ]) {
    expect(cases).toContain(`${setup}-primary-kill`)
  }
  expect(cases).toContain('external-postgres-auto-service-kill')
})

test('primary-sentinel-kill exists only with Sentinels', () => {
  expect(whyNotFault({ mode: 'cluster', store: 'postgres', lock: 'auto' }, 'primary-sentinel-kill')).toBeDefined()
  expect(whyNotFault({ mode: 'sentinel', store: 'postgres', lock: 'auto' }, 'primary-sentinel-kill')).toBeUndefined()
})

test('where writes wait for Redis, an overtaken deletion comes after a plain kill, to which it is compared', () => {
  const faults = (store: 'http' | 'postgres') =>
    runsOf({ mode: 'sentinel', store, lock: 'auto' }, ['overtaken-delete'], []).flatMap((run) => run.faults)
  expect(faults('http')).toEqual(['primary-kill', 'overtaken-delete'])
  expect(faults('postgres')).toEqual(['overtaken-delete'])
})

test('the list describes every fault and every negative control', () => {
  const lines = describeFaults().split('\n')
  const shown = (name: string, summary: string): boolean =>
    lines.some((line) => line.trim().startsWith(`${name} `) && line.endsWith(`  ${summary}`))
  for (const name of FAULT_NAMES) expect(shown(name, FAULTS[name].summary), name).toBe(true)
  const setups = [
    { mode: 'sentinel', store: 'postgres', lock: 'auto' },
    { mode: 'sentinel', store: 'http', lock: 'auto' },
  ] as const
  for (const { name, summary } of setups.flatMap(controlsFor)) expect(shown(name, summary), name).toBe(true)
})
