import { expect, test } from 'vitest'
import { ciPlan, FAULT_NAMES, fullPlan, type Run, runsOf, setupName, whyNotFault } from './plan.ts'

const names = (runs: readonly Run[]): readonly string[] =>
  runs.flatMap((run) => run.faults.map((fault) => `${setupName(run)}-${fault}`))

test('what decides in CI is Sentinel with all faults, Cluster with a, d and e, and an http store with a', () => {
  const cases = names(ciPlan())
  for (const fault of FAULT_NAMES) expect(cases).toContain(`sentinel-postgres-auto-${fault}`)
  for (const fault of ['master-kill', 'master-delete', 'redis-all-kill', 'node-freeze']) {
    expect(cases).toContain(`cluster-postgres-auto-${fault}`)
  }
  expect(cases).toContain('sentinel-http-auto-master-kill')
})

test('CI runs every kind of negative control once', () => {
  const controls = ciPlan().flatMap((run) => run.controls.map(({ name, expected }) => `${name} ${expected}`))
  expect(controls.toSorted()).toEqual([
    'answer-before-commit violated',
    'no-lock violated',
    'skipped-fault inconclusive',
  ])
})

test('the whole matrix has every mode, and no case twice', () => {
  const cases = names(fullPlan())
  expect(new Set(cases).size).toBe(cases.length)
  for (const setup of [
    'sentinel-postgres-always',
    'cluster-postgres-always',
    'cluster-http-auto',
    'standalone-http-auto',
  ]) {
    expect(cases).toContain(`${setup}-master-kill`)
  }
  expect(cases).toContain('external-postgres-auto-service-kill')
})

test('no Sentinel can be killed where there is none', () => {
  expect(whyNotFault({ mode: 'cluster', store: 'postgres', lock: 'auto' }, 'master-sentinel-kill')).toBeDefined()
  expect(whyNotFault({ mode: 'sentinel', store: 'postgres', lock: 'auto' }, 'master-sentinel-kill')).toBeUndefined()
})

test('an overtaken delete where writes wait for Redis comes after a plain kill, to compare with', () => {
  const faults = (store: 'http' | 'postgres') =>
    runsOf({ mode: 'sentinel', store, lock: 'auto' }, ['overtaken-delete'], []).flatMap((run) => run.faults)
  expect(faults('http')).toEqual(['master-kill', 'overtaken-delete'])
  expect(faults('postgres')).toEqual(['overtaken-delete'])
})
