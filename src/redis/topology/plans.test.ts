/**
 * Decisions about Redis topology. The planners in TypeScript and in the chart's shell code must satisfy the cases of
 * cases/*.json, and must agree on random snapshots.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PlanName, planInShell, planInTypeScript, readCaseFiles } from '../../testing/topology-cases.ts'

const files = readCaseFiles()

test('there are cases for every decision', () => {
  expect(files.map(({ shell }) => shell).toSorted()).toEqual(
    ['elect_primary', 'plan_reset', 'plan_primaries', 'plan_move', 'plan_replicas', 'trust_primary'].toSorted(),
  )
  for (const { cases } of files) expect(new Set(cases.map(({ expected }) => String(expected))).size).toBeGreaterThan(1)
})

describe.each(files)('$shell', ({ shell, cases }) => {
  test.each(cases)('$name', ({ snapshot, environment, expected }) => {
    expect(planInTypeScript(shell, snapshot, environment)).toEqual(expected)
    expect(planInShell(shell, snapshot, environment)).toEqual(expected)
  })
})

const host = (set: string) => fc.nat({ max: 3 }).map((n) => `${set}-${n}.d`)
const small = fc.nat({ max: 2 }).map(String)
const row = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map((words) => words.join(' '))
const flags = fc.constantFrom('master', 'master', 'master,s_down', 'master,failover_in_progress')

const SENTINEL = { REDIS_COUNT: '3', SENTINEL_COUNT: '3', REDIS_SET: 'r', REDIS_DOMAIN: 'd', SELF: 'r-1.d' }
const CLUSTER = { REDIS_COUNT: '4', CLUSTER_MASTERS: '2' }

/** Rows similar to those that lead to a decision, so that not every random snapshot leads to none. */
const RANDOM: Readonly<Record<PlanName, fc.Arbitrary<string>>> = {
  elect_primary: row(
    host('r'),
    fc.constantFrom('slave', 'slave', 'slave', 'master'),
    fc.constantFrom('127.0.0.1', '127.0.0.1', 'r-2.d'),
    fc.constantFrom('1', '1', '2'),
    fc.constantFrom('0', '0', '5'),
  ),
  trust_primary: row(fc.constantFrom('r-1.d', 'r-1.d', 'r-2.d'), flags, fc.constantFrom('300', '1999', '2000', '9000')),
  plan_reset: row(
    host('s'),
    fc.constantFrom('r-1.d', 'r-1.d', 'r-1.d', 'r-3.d'),
    fc.constantFrom('master', 'master', 'master', 'master,s_down'),
    fc.constantFrom('2', '2', '2', '1'),
    fc.constantFrom('2', '2', '2', '1'),
    small,
    fc.constantFrom('0', '0', '0', '1'),
    fc.constantFrom('yes', 'yes', 'yes', 'no'),
  ),
  plan_primaries: clusterRow(fc.constant('-'), fc.constant('0')),
  plan_replicas: clusterRow(fc.constantFrom('-', 'id0', 'id1'), fc.constantFrom('0', '9')),
  plan_move: clusterRow(fc.constantFrom('-', 'id0', 'id1', 'gone'), fc.constantFrom('0', '9')),
}

function clusterRow(primary: fc.Arbitrary<string>, slots: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return row(
    fc.constantFrom('h'),
    fc.constantFrom('a', 'b'),
    fc.constant('id'),
    primary,
    slots,
    fc.constantFrom('0', '0', '0', '5'),
    fc.constantFrom('4', '4', '4', '4', '3'),
  )
}

const isClusterPlan = (name: PlanName): boolean => /primaries|replicas|move/.test(name)

/** Numbers hosts and ids, because those of a cluster are unique. */
const numbered = (name: PlanName, rows: readonly string[]): readonly string[] =>
  isClusterPlan(name) ? rows.map((text, n) => text.replace(/^h/, `h${n}`).replace(' id ', ` id${n} `)) : rows

test.each(files.map(({ shell }) => shell))('%s makes the same decisions in shell and in TypeScript', (name) => {
  const env = isClusterPlan(name) ? CLUSTER : SENTINEL
  fc.assert(
    fc.property(fc.array(RANDOM[name], { minLength: 2, maxLength: 4 }), (random) => {
      const snapshot = numbered(name, random)
      expect(planInTypeScript(name, snapshot, env)).toEqual(planInShell(name, snapshot, env))
    }),
    { numRuns: 60 },
  )
})
