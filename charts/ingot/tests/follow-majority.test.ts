/** Tests that a Sentinel that missed a failover follows the majority, and only then. */
import { describe, expect, test } from 'vitest'
import { runKeeper } from './keeper-shell.ts'

interface Situation {
  /** Primary that each Sentinel names. The first one is this pod's. */
  readonly views: readonly [string, string, string]
  /** Role of each server. */
  readonly roles: Readonly<Record<string, 'master' | 'slave' | ''>>
}

const MISSED: Situation = { views: ['r-1.d', 'r-0.d', 'r-0.d'], roles: { 'r-0.d': 'master', 'r-1.d': 'slave' } }

/** Runs rounds, one for each situation. Returns the calls that change the Sentinel. */
function rounds(...situations: readonly Situation[]): string {
  const lines = situations.map(({ views, roles }) => {
    const cases = Object.entries(roles).map(([host, role]) => `${host}) echo '${role}' ;;`)
    return `
      sentinel_view_of() { case $1 in localhost) echo '${views[0]}' ;; *) echo '?' ;; esac; }
      sentinel_views() { printf '%s\\n' ${views.join(' ')}; }
      redis_at() { case $1 in ${cases.join(' ')} esac; }
      follow_majority`
  })
  const { calls } = runKeeper(["diverged=''", ...lines].join('\n'), { replies: '*) ;;', env: { SENTINEL_COUNT: '3' } })
  return calls
    .split('\n')
    .filter((call) => /SENTINEL (REMOVE|MONITOR)/.test(call))
    .map((call) => call.replace(/.*SENTINEL (\w+ \S+ ?\S*).*/, '$1'))
    .join('; ')
}

test('it monitors the primary of the majority in the second round', () => {
  expect(rounds(MISSED)).toBe('')
  expect(rounds(MISSED, MISSED)).toMatch(/^REMOVE m ?; MONITOR m r-0\.d$/)
})

describe('it changes nothing', () => {
  test.each<[string, readonly Situation[]]>([
    ['while all agree', [{ ...MISSED, views: ['r-0.d', 'r-0.d', 'r-0.d'] }]],
    ['if its own primary is one', [{ ...MISSED, roles: { 'r-0.d': 'master', 'r-1.d': 'master' } }]],
    ['if its own primary does not respond', [{ ...MISSED, roles: { 'r-0.d': 'master', 'r-1.d': '' } }]],
    ['if the primary of the majority is a replica', [{ ...MISSED, roles: { 'r-0.d': 'slave', 'r-1.d': 'slave' } }]],
    ['if no majority names one', [{ ...MISSED, views: ['r-1.d', 'r-0.d', 'r-2.d'] }]],
    ['if a majority knows none', [{ ...MISSED, views: ['r-1.d', '-', '-'] }]],
    ['if a majority does not respond', [{ ...MISSED, views: ['r-1.d', '?', '?'] }]],
  ])('%s', (_, [situation = MISSED]) => {
    expect(rounds(situation, situation, situation)).toBe('')
  })

  test('if the disagreement ended in between', () => {
    const agreed: Situation = { ...MISSED, views: ['r-0.d', 'r-0.d', 'r-0.d'] }
    expect(rounds(MISSED, agreed, MISSED)).toBe('')
  })
})
