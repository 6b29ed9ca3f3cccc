import { expect, test } from 'vitest'
import { ciPlan, FAULT_NAMES, fullPlan, planOf, type Run, setupName, whyNotFault } from './plan.ts'

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

test('flags choose one setup, and a letter stands for all its variants', () => {
  expect(names(planOf({ mode: 'cluster', fault: 'a,d' }, ciPlan))).toEqual([
    'cluster-postgres-auto-master-kill',
    'cluster-postgres-auto-master-delete',
    'cluster-postgres-auto-redis-all-kill',
  ])
  expect(names(planOf({ fault: 'node-freeze' }, ciPlan))).toEqual(['sentinel-postgres-auto-node-freeze'])
  expect(planOf({}, ciPlan)).toEqual(ciPlan())
})

test('a flag that names nothing says what there is', () => {
  expect(() => planOf({ mode: 'sentinels' }, ciPlan)).toThrow(/--mode is "sentinels", write sentinel, cluster/)
  expect(() => planOf({ fault: 'x' }, ciPlan)).toThrow(/--fault "x" is none of a to g, master-kill/)
  expect(() => planOf({ mode: 'external', fault: 'd' }, ciPlan)).toThrow(/redis-all-kill: no Redis is installed/)
  expect(() => planOf({ mode: 'external', store: 'http' }, ciPlan)).toThrow(/cannot do without a lock/)
})

test('a control is run alone when no fault is named', () => {
  const [run] = planOf({ store: 'http', control: 'no-lock,skipped-fault' }, ciPlan)
  expect(run?.faults).toEqual([])
  expect(run?.controls.map(({ name }) => name)).toEqual(['no-lock', 'skipped-fault'])
  expect(() => planOf({ control: 'no-lock' }, ciPlan)).toThrow(/none of store postgres's: skipped-fault, answer-before/)
})

test('no Sentinel can be killed where there is none', () => {
  expect(whyNotFault({ mode: 'cluster', store: 'postgres', lock: 'auto' }, 'master-sentinel-kill')).toBeDefined()
  expect(whyNotFault({ mode: 'sentinel', store: 'postgres', lock: 'auto' }, 'master-sentinel-kill')).toBeUndefined()
})
