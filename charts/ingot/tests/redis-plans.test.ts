/**
 * The decisions of files/redis/plans.sh that only the shell makes, and proofs that its checks are needed. The decisions
 * about topology have their cases in src/redis/topology/cases.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { planInShell } from '../../../src/testing/topology-cases.ts'
import { CHART } from './helm.ts'

const PLANS = join(CHART, 'files', 'redis', 'plans.sh')

describe('passwords that a server accepts', () => {
  /** What is in the Secret, then what was known; a line each: user, digest, when it was replaced. */
  function renew(now: number, secret: readonly string[], known: readonly string[]): string[] {
    const file = join(mkdtempSync(join(tmpdir(), 'ingot-passwords-')), 'known')
    writeFileSync(file, known.map((text) => `${text}\n`).join(''))
    const lines = planInShell(`renew_passwords ${now} 100 ${file}`, secret, {})
    rmSync(dirname(file), { recursive: true })
    return lines.toSorted()
  }

  test('are those of the Secret at first', () => {
    expect(renew(1_000, ['a x', 'b y'], [])).toEqual(['a x 0', 'b y 0'])
  })

  test('a replaced one stays for its time, counted from when it was replaced', () => {
    const changed = renew(1_000, ['a new', 'b y'], ['a x 0', 'b y 0'])
    expect(changed).toEqual(['a new 0', 'a x 1000', 'b y 0'])
    expect(renew(1_099, ['a new', 'b y'], changed)).toEqual(changed)
    expect(renew(1_100, ['a new', 'b y'], changed)).toEqual(['a new 0', 'b y 0'])
  })

  test('two changes in a row keep both, and one that comes back is current', () => {
    const twice = renew(1_010, ['a third'], renew(1_000, ['a second'], ['a first 0']))
    expect(twice).toEqual(['a first 1000', 'a second 1010', 'a third 0'])
    expect(renew(1_020, ['a first'], twice)).toEqual(['a first 0', 'a second 1010', 'a third 1020'])
  })
})

describe('what these plans check is needed: without it they would act', () => {
  const sentinels = { SENTINEL_COUNT: '3', REDIS_COUNT: '3', REDIS_SET: 'r', REDIS_DOMAIN: 'd' }
  const cluster = { REDIS_COUNT: '6', CLUSTER_MASTERS: '3' }
  const knows = (host: string, flags = 'master', rest = '2 2 1 0 yes'): string => `${host} r-1.d ${flags} ${rest}`
  const others = [knows('s-1'), knows('s-2')]

  test.each([
    ['$3 != "master" || ', 'plan_forget', [knows('s-0', 'master,failover_in_progress'), ...others], sentinels],
    ['$4 != all - 1 || ', 'plan_forget', [knows('s-0', 'master', '1 2 1 0 yes'), ...others], sentinels],
    ['$5 != servers - 1 || ', 'plan_forget', [knows('s-0', 'master', '2 0 1 0 yes'), ...others], sentinels],
    ['$7 > 0 || ', 'plan_forget', [knows('s-0', 'master', '2 2 1 1 yes'), ...others], sentinels],
    ['seen == all && ', 'plan_forget', others, sentinels],
    ['NR < all || wait || ', 'plan_replicas', ['h0 a m0 - 9 5 6', 'h1 b e1 - 0 0 6'], cluster],
    ['if (NR < all || wait) exit', 'plan_move', ['h0 a m0 - 9 5 6', 'h1 a m1 - 9 5 6', 'h2 b r0 m0 0 5 6'], cluster],
  ])('%s', (check, name, census, env) => {
    const source = readFileSync(PLANS, 'utf8')
    expect(source).toContain(check)
    expect(planInShell(name, census, env)).toEqual([])
    expect(planInShell(name, census, env, source.replaceAll(check, ''))).not.toEqual([])
  })
})
