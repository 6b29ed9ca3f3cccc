/** Who may become master, and who copies whom: the decisions of files/redis/plans.sh, by the shell that makes them. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CHART } from './helm.ts'

const PLANS = join(CHART, 'files', 'redis', 'plans.sh')

function plan(
  name: string,
  census: readonly string[],
  env: Readonly<Record<string, string>>,
  source = `. ${PLANS}`,
): string[] {
  const input = census.map((line) => `${line}\n`).join('')
  const { status, stdout, stderr } = spawnSync('sh', ['-euc', `${source}\n${name}`], { input, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout.split('\n').filter((line) => line !== '')
}

describe('the master that Sentinels who know none are given', () => {
  const elect = (...census: string[]): string[] =>
    plan('elect', census, { REDIS_COUNT: '3', REDIS_SET: 'r', REDIS_DOMAIN: 'd', PATH: process.env['PATH'] ?? '' })
  const NEW = '127.0.0.1 1'
  const WAS = '127.0.0.1 2'

  test('is ordinal 0 when all are empty', () => {
    expect(elect(`r-0.d slave ${NEW} 0`, `r-1.d slave ${NEW} 0`, `r-2.d slave ${NEW} 0`)).toEqual(['r-0.d'])
  })

  test('is the one that was master, whatever its ordinal and although another has more keys', () => {
    expect(elect(`r-0.d slave ${NEW} 9`, `r-1.d slave ${NEW} 0`, `r-2.d slave ${WAS} 5`)).toEqual(['r-2.d'])
  })

  test('is nobody while a server does not answer', () => {
    expect(elect(`r-0.d slave ${NEW} 0`, `r-1.d slave ${NEW} 0`)).toEqual([])
    expect(elect(`r-0.d slave ${NEW} 0`, `r-2.d slave ${WAS} 5`)).toEqual([])
    expect(elect()).toEqual([])
  })

  test('is nobody when two remember that they were master', () => {
    expect(elect(`r-0.d slave ${WAS} 5`, `r-1.d slave ${NEW} 5`, `r-2.d slave ${WAS} 5`)).toEqual([])
  })

  test('is nobody when there are keys and no memory of a master', () => {
    expect(elect(`r-0.d slave ${NEW} 0`, `r-1.d slave ${NEW} 5`, `r-2.d slave ${NEW} 0`)).toEqual([])
  })

  test('is nobody when there is a master already, or a server that follows one', () => {
    expect(elect(`r-0.d slave ${NEW} 0`, 'r-1.d master   0', `r-2.d slave ${NEW} 0`)).toEqual([])
    expect(elect(`r-0.d slave ${NEW} 0`, 'r-1.d slave r-2.d 6379 0', `r-2.d slave ${NEW} 0`)).toEqual([])
  })
})

describe('a master that has come back takes writes', () => {
  const env = { SENTINEL_COUNT: '3', SELF: 'r-0.d', PATH: process.env['PATH'] ?? '' }
  const trusted = (...views: string[]): boolean => plan('trusted', views, env).includes('yes')
  const CALM = 'r-0.d master 300'

  test('when a majority of all Sentinels has just heard from it', () => {
    expect(trusted(CALM, CALM, CALM)).toBe(true)
    expect(trusted(CALM, 'r-0.d master,s_down,o_down 9000', CALM)).toBe(true)
  })

  test('not while a majority of all has not', () => {
    expect(trusted(CALM)).toBe(false)
    expect(trusted(CALM, 'r-0.d s_down,master,disconnected 5100')).toBe(false)
    expect(trusted(CALM, 'r-0.d master 4000', 'r-0.d master 3900')).toBe(false)
    expect(trusted()).toBe(false)
  })

  test('not while one of them replaces it, nor when they name another', () => {
    expect(trusted(CALM, CALM, 'r-0.d master,failover_in_progress 200')).toBe(false)
    expect(trusted(CALM, 'r-1.d master 300', 'r-1.d master 300')).toBe(false)
  })
})

describe('in a cluster', () => {
  const env = { REDIS_COUNT: '6', CLUSTER_MASTERS: '3', PATH: process.env['PATH'] ?? '' }
  const fresh = (machines: string): string[] => Array.from(machines, (m, n) => `h${n} ${m} id${n} - 0 0 6`)

  test('masters are formed on machines of their own', () => {
    expect(plan('plan_masters', fresh('aabbcc'), env)).toEqual(['h0', 'h2', 'h4'])
    expect(plan('plan_masters', fresh('aaaabb'), env)).toEqual(['h0', 'h4', 'h1'])
  })

  test('nothing is formed while a server is missing, or has slots, keys, a master, or not met everybody', () => {
    const [, ...others] = fresh('aabbcc')
    expect(plan('plan_masters', others, env)).toEqual([])
    for (const first of ['h0 a id0 - 9 0 6', 'h0 a id0 - 0 1 6', 'h0 a id0 id1 0 0 6', 'h0 a id0 - 0 0 5']) {
      expect(plan('plan_masters', [first, ...others], env)).toEqual([])
    }
  })

  test('newcomers copy the master with the fewest replicas, from another machine', () => {
    const masters = ['h0 a m0 - 9 5 6', 'h1 b m1 - 9 5 6', 'h2 c m2 - 9 5 6']
    const empty = ['h3 a e3 - 0 0 6', 'h4 b e4 - 0 0 6', 'h5 c e5 - 0 0 6']
    const copies = plan('plan_replicas', [...masters, ...empty], env).map((line) => line.split(' '))
    expect(copies.map(([host]) => host)).toEqual(['h3', 'h4', 'h5'])
    expect(new Set(copies.map(([, master]) => master)).size).toBe(3)
    expect(copies).not.toContainEqual(['h3', 'm0'])
    const full = [...masters, 'h3 a e3 - 0 7 6', 'h4 b r1 m1 0 5 6', 'h5 c r2 m2 0 5 6']
    expect(plan('plan_replicas', full, env)).toEqual([]) // it has keys: leave it
  })

  test('a master moves only when the fullest machine gains by it', () => {
    const balanced = [
      'h0 a m0 - 9 5 6',
      'h1 b m1 - 9 5 6',
      'h2 c m2 - 9 5 6',
      'h3 b r0 m0 0 5 6',
      'h4 c r1 m1 0 5 6',
      'h5 a r2 m2 0 5 6',
    ]
    expect(plan('plan_move', balanced, env)).toEqual([])
    const crowded = [
      'h0 a m0 - 9 5 6',
      'h1 a m1 - 9 5 6',
      'h2 c m2 - 9 5 6',
      'h3 c r0 m0 0 5 6',
      'h4 b r1 m1 0 5 6',
      'h5 c r2 m2 0 5 6',
    ]
    expect(plan('plan_move', crowded, env)).toEqual(['h4'])
  })

  test('a partial view changes nothing', () => {
    const newcomer = [
      'h0 a m0 - 9 5 6',
      'h1 b m1 - 9 5 6',
      'h2 c m2 - 9 5 6',
      'h3 b r0 m0 0 5 6',
      'h4 c r1 m1 0 5 6',
      'h5 a e5 - 0 0 6',
    ]
    expect(plan('plan_replicas', newcomer, env)).toEqual(['h5 m2'])
    const crowded = [
      'h0 a m0 - 9 5 6',
      'h1 a m1 - 9 5 6',
      'h2 c m2 - 9 5 6',
      'h3 c r0 m0 0 5 6',
      'h4 b r1 m1 0 5 6',
      'h5 c r2 m2 0 5 6',
    ]
    for (const hidden of [0, 1, 2, 3]) {
      expect(plan('plan_replicas', newcomer.toSpliced(hidden, 1), env)).toEqual([])
      expect(plan('plan_move', crowded.toSpliced(hidden, 1), env)).toEqual([])
    }
    const apart = (line: string, index: number) => (index === 2 ? line.replace(/6$/, '4') : line)
    expect(plan('plan_replicas', newcomer.map(apart), env)).toEqual([])
    expect(plan('plan_move', crowded.map(apart), env)).toEqual([])
  })
})

describe('a Sentinel forgets who is gone for good', () => {
  const env = {
    SENTINEL_COUNT: '3',
    REDIS_COUNT: '3',
    REDIS_SET: 'r',
    REDIS_DOMAIN: 'd.e',
    PATH: process.env['PATH'] ?? '',
  }
  const forget = (...knowledge: string[]): string[] => plan('plan_forget', knowledge, env)
  const line = (host: string, gone: number, more = '2 2'): string => `${host} r-1.d.e master ${more} ${gone} 0 yes`

  test('one at a time, the first that knows any, when all see everybody', () => {
    expect(forget(line('s-2', 2), line('s-0', 0), line('s-1', 2))).toEqual(['s-1'])
    expect(forget(line('s-2', 2), line('s-0', 0), line('s-1', 0))).toEqual(['s-2'])
    expect(forget(line('s-2', 0), line('s-0', 0), line('s-1', 0))).toEqual([])
  })

  test.each([
    ['a Sentinel does not answer', [line('s-0', 2), line('s-1', 2)]],
    [
      'one that has just forgotten does not list every replica again',
      [line('s-0', 0, '2 1'), line('s-1', 2), line('s-2', 2)],
    ],
    [
      'one that has just forgotten does not list every Sentinel again',
      [line('s-0', 0, '1 2'), line('s-1', 2), line('s-2', 2)],
    ],
    ['the master is down', [line('s-0', 2), line('s-1', 2), 's-2 r-1.d.e master,s_down 2 2 2 0 yes']],
    [
      'a failover is under way',
      [line('s-0', 2), 's-1 r-1.d.e master,failover_in_progress 2 2 2 0 yes', line('s-2', 2)],
    ],
    ['there is no quorum', [line('s-0', 2), line('s-1', 2), 's-2 r-1.d.e master 2 2 2 0 no']],
    ['they name different masters', [line('s-0', 2), line('s-1', 2), 's-2 r-0.d.e master 2 2 2 0 yes']],
    ['a pod that is leaving is still alive', [line('s-0', 2), line('s-1', 2), 's-2 r-1.d.e master 2 2 1 1 yes']],
  ])('not while %s', (_why, knowledge) => {
    expect(forget(...knowledge)).toEqual([])
  })

  test('not while the master is one that is leaving', () => {
    const leaving = ['s-0', 's-1', 's-2'].map((host) => line(host, 2).replace('r-1.d.e', 'r-3.d.e'))
    expect(forget(...leaving)).toEqual([])
  })
})

describe('passwords that a server accepts', () => {
  /** What is in the Secret, then what was known; a line each: user, digest, when it was replaced. */
  function renew(now: number, secret: readonly string[], known: readonly string[]): string[] {
    const file = join(mkdtempSync(join(tmpdir(), 'ingot-passwords-')), 'known')
    writeFileSync(file, known.map((text) => `${text}\n`).join(''))
    const lines = plan(`renew_passwords ${now} 100 ${file}`, secret, { PATH: process.env['PATH'] ?? '' })
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
  const PATH = process.env['PATH'] ?? ''
  const sentinels = { SENTINEL_COUNT: '3', REDIS_COUNT: '3', REDIS_SET: 'r', REDIS_DOMAIN: 'd', PATH }
  const cluster = { REDIS_COUNT: '6', CLUSTER_MASTERS: '3', PATH }
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
    expect(plan(name, census, env)).toEqual([])
    expect(plan(name, census, env, source.replaceAll(check, ''))).not.toEqual([])
  })
})
