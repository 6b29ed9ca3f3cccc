/**
 * Tests the decisions of files/redis/topology.sh that only the shell makes, and proves that its checks are needed. The
 * decisions about topology have their cases in src/redis/topology/cases.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { planInShell } from '../../../src/testing/topology-cases.ts'
import { CHART } from './helm.ts'

const TOPOLOGY = join(CHART, 'files', 'redis', 'topology.sh')

describe('passwords that a server accepts', () => {
  /** `secret` has the passwords of the Secret, `known` those of the file: user, digest, and time of replacement. */
  function renew(now: number, secret: readonly string[], known: readonly string[]): string[] {
    const file = join(mkdtempSync(join(tmpdir(), 'ingot-passwords-')), 'known')
    writeFileSync(file, known.map((text) => `${text}\n`).join(''))
    const lines = planInShell(`renew_passwords ${now} 100 ${file}`, secret, {})
    rmSync(dirname(file), { recursive: true })
    return lines.toSorted()
  }

  test('are at first those of the Secret', () => {
    expect(renew(1_000, ['a x', 'b y'], [])).toEqual(['a x 0', 'b y 0'])
  })

  test('include a replaced one until its time since the replacement is over', () => {
    const changed = renew(1_000, ['a new', 'b y'], ['a x 0', 'b y 0'])
    expect(changed).toEqual(['a new 0', 'a x 1000', 'b y 0'])
    expect(renew(1_099, ['a new', 'b y'], changed)).toEqual(changed)
    expect(renew(1_100, ['a new', 'b y'], changed)).toEqual(['a new 0', 'b y 0'])
  })

  test('include both after two changes, and an old one that comes back is current', () => {
    const twice = renew(1_010, ['a third'], renew(1_000, ['a second'], ['a first 0']))
    expect(twice).toEqual(['a first 1000', 'a second 1010', 'a third 0'])
    expect(renew(1_020, ['a first'], twice)).toEqual(['a first 0', 'a second 1010', 'a third 1020'])
  })
})

describe('without this check the plan would act', () => {
  const sentinels = { SENTINEL_COUNT: '3', REDIS_COUNT: '3', REDIS_SET: 'r', REDIS_DOMAIN: 'd' }
  const cluster = { REDIS_COUNT: '6', CLUSTER_MASTERS: '3' }
  const report = (host: string, flags = 'master', rest = '2 2 1 0 yes'): string => `${host} r-1.d ${flags} ${rest}`
  const others = [report('s-1'), report('s-2')]

  test.each([
    ['$3 != "master" || ', 'plan_reset', [report('s-0', 'master,failover_in_progress'), ...others], sentinels],
    ['$4 != all - 1 || ', 'plan_reset', [report('s-0', 'master', '1 2 1 0 yes'), ...others], sentinels],
    ['$5 != servers - 1 || ', 'plan_reset', [report('s-0', 'master', '2 0 1 0 yes'), ...others], sentinels],
    ['$7 > 0 || ', 'plan_reset', [report('s-0', 'master', '2 2 1 1 yes'), ...others], sentinels],
    ['seen == all && ', 'plan_reset', others, sentinels],
    ['NR < all || wait || ', 'plan_replicas', ['h0 a m0 - 9 5 6', 'h1 b e1 - 0 0 6'], cluster],
    ['if (NR < all || wait) exit', 'plan_move', ['h0 a m0 - 9 5 6', 'h1 a m1 - 9 5 6', 'h2 b r0 m0 0 5 6'], cluster],
  ])('%s', (check, name, snapshot, env) => {
    const source = readFileSync(TOPOLOGY, 'utf8')
    expect(source).toContain(check)
    expect(planInShell(name, snapshot, env)).toEqual([])
    expect(planInShell(name, snapshot, env, source.replaceAll(check, ''))).not.toEqual([])
  })
})
