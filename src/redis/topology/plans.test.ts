/**
 * Decisions about Redis topology: the cases of cases/*.json, judged by the TypeScript planners and by the chart's shell
 * code, and random censuses on which both must agree.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PlanName, planInShell, planInTypeScript, readCaseFiles } from '../../testing/topology-cases.ts'

const files = readCaseFiles()

test('there are cases for every decision', () => {
  expect(files.map(({ shell }) => shell).toSorted()).toEqual(
    ['elect', 'plan_forget', 'plan_masters', 'plan_move', 'plan_replicas', 'trusted'].toSorted(),
  )
  for (const { cases } of files) expect(new Set(cases.map(({ expected }) => String(expected))).size).toBeGreaterThan(1)
})

describe.each(files)('$shell', ({ shell, cases }) => {
  test.each(cases)('$name', ({ census, environment, expected }) => {
    expect(planInTypeScript(shell, census, environment)).toEqual(expected)
    expect(planInShell(shell, census, environment)).toEqual(expected)
  })
})

const host = (set: string) => fc.nat({ max: 3 }).map((n) => `${set}-${n}.d`)
const small = fc.nat({ max: 2 }).map(String)
const row = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map((words) => words.join(' '))
const flags = fc.constantFrom('master', 'master', 'master,s_down', 'master,failover_in_progress')

const SENTINEL = { REDIS_COUNT: '3', SENTINEL_COUNT: '3', REDIS_SET: 'r', REDIS_DOMAIN: 'd', SELF: 'r-1.d' }
const CLUSTER = { REDIS_COUNT: '4', CLUSTER_MASTERS: '2' }

/** Rows near to those that let a plan act, so that not every random census is refused. */
const RANDOM: Readonly<Record<PlanName, fc.Arbitrary<string>>> = {
  elect: row(
    host('r'),
    fc.constantFrom('slave', 'slave', 'slave', 'master'),
    fc.constantFrom('127.0.0.1', '127.0.0.1', 'r-2.d'),
    fc.constantFrom('1', '1', '2'),
    fc.constantFrom('0', '0', '5'),
  ),
  trusted: row(fc.constantFrom('r-1.d', 'r-1.d', 'r-2.d'), flags, fc.constantFrom('300', '1999', '2000', '9000')),
  plan_forget: row(
    host('s'),
    fc.constantFrom('r-1.d', 'r-1.d', 'r-1.d', 'r-3.d'),
    fc.constantFrom('master', 'master', 'master', 'master,s_down'),
    fc.constantFrom('2', '2', '2', '1'),
    fc.constantFrom('2', '2', '2', '1'),
    small,
    fc.constantFrom('0', '0', '0', '1'),
    fc.constantFrom('yes', 'yes', 'yes', 'no'),
  ),
  plan_masters: clusterRow(fc.constant('-'), fc.constant('0')),
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

const isClusterPlan = (name: PlanName): boolean => /masters|replicas|move/.test(name)

/** Hosts and ids of a cluster are unique: number them. */
const numbered = (name: PlanName, rows: readonly string[]): readonly string[] =>
  isClusterPlan(name) ? rows.map((text, n) => text.replace(/^h/, `h${n}`).replace(' id ', ` id${n} `)) : rows

test.each(files.map(({ shell }) => shell))('%s decides alike in shell and in TypeScript', (name) => {
  const env = isClusterPlan(name) ? CLUSTER : SENTINEL
  fc.assert(
    fc.property(fc.array(RANDOM[name], { minLength: 2, maxLength: 4 }), (random) => {
      const census = numbered(name, random)
      expect(planInTypeScript(name, census, env)).toEqual(planInShell(name, census, env))
    }),
    { numRuns: 60 },
  )
})
