import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Slugger from 'github-slugger'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { IngotError } from '../../../errors/error.ts'
import { exampleReport, HOSTILE, hostileReport, longReport } from '../../../testing/drill-report.ts'
import { checkersOf } from '../../checkers/all.ts'
import { ROOT } from '../../checkout.ts'
import { DRILL_SPEC } from '../../spec/schema.ts'
import type { DrillReport } from '../model.ts'
import { adviceForCheck, adviceForCriterion } from './advice.ts'
import { compare } from './compare.ts'
import { htmlOfReport, MAX_HTML_BYTES } from './html/page.ts'
import { jsonOfReport, parseReport } from './json.ts'
import { junitOfReport } from './junit.ts'
import { markdownOfReport } from './markdown.ts'

const passed = exampleReport()

describe('JSON', () => {
  test.each([passed, hostileReport(), longReport()])('is parsed into the same report', (report) => {
    expect(parseReport(jsonOfReport(report))).toEqual(JSON.parse(JSON.stringify(report)))
  })

  test.each<readonly [string, object, RegExp]>([
    ['the format', { format: 2 }, /\/format/],
    ['a verdict', { verdict: 'Passed' }, /\/verdict/],
    ['a figure', { summary: { ...passed.summary, lost: -1 } }, /\/summary\/lost/],
    ['an unknown action', { faults: [{ name: 'a', action: 'Explode', state: 'Proven' }] }, /\/faults\/0\/action/],
    ['the digest', { history: { events: 1, sha256: 'none' } }, /\/history\/sha256/],
    ['columns of different lengths', { series: { ...passed.series, failed: [1] } }, /\/series\/failed has 1 values/],
    ['a number that is none', { series: { ...passed.series, p50Ms: [null] } }, /\/series\/p50Ms\/0/],
  ])('is refused because of %s, which the error names', (_, change, member) => {
    const refused = (): DrillReport => parseReport(JSON.stringify({ ...passed, ...change }), 'weekly')
    expect(refused).toThrow(member)
    expect(refused).toThrow(expect.objectContaining({ code: 'INPUT_UNREADABLE' }))
    expect(refused).toThrow(/"weekly"/)
  })

  test.each(['', '{', 'null', '[]', '7'])('that is %j is refused', (text) => {
    expect(() => parseReport(text)).toThrow(IngotError)
  })
})

describe('the comparison', () => {
  const { summary } = passed

  test('shows the verdict and each figure that one of the runs knows', () => {
    const { duplicates: _, ...unknown } = summary
    const changes = compare(
      { verdict: 'Fail', summary: { ...summary, lost: 3, secondsWithoutWrite: 2 } },
      { verdict: 'Pass', summary: unknown },
    )
    expect(changes).toContainEqual({ name: 'verdict', before: 'Pass', now: 'Fail', trend: 'worse' })
    expect(changes).toContainEqual({ name: 'acknowledged items lost', before: '0', now: '3', trend: 'worse' })
    expect(changes).toContainEqual({ name: 'seconds without a good write', before: '6.4', now: '2', trend: 'better' })
    expect(changes).toContainEqual({ name: 'contents stored twice', before: 'unknown', now: '0', trend: 'unknown' })
    expect(changes).toContainEqual({ name: 'writes refused', before: '40', now: '40', trend: 'same' })
  })
})

describe('the advice', () => {
  const criteria = Object.keys(DRILL_SPEC.properties.criteria.properties)
  const checks = Object.keys(checkersOf({ recoveryMs: 1, locks: true, load: true, canary: true }))
  const texts = [...criteria.map(adviceForCriterion), ...checks.map(adviceForCheck)]

  test('is a different one for each criterion and for each check', () => {
    const unknown = adviceForCriterion('unknown')
    expect(criteria.map(adviceForCriterion)).not.toContain(unknown)
    expect(new Set(criteria.map(adviceForCriterion)).size).toBe(criteria.length)
    expect(checks.map(adviceForCheck)).not.toContain(adviceForCheck('unknown'))
    expect(adviceForCriterion('errors.READONLY')).toBe(adviceForCriterion('errors'))
  })

  test('names anchors of the runbook that exist', () => {
    const slugger = new Slugger()
    const headings = readFileSync(join(ROOT, 'RUNBOOK.md'), 'utf8').matchAll(/^#+ (.+)$/gm)
    const anchors = new Set([...headings].map(([, heading = '']) => slugger.slug(heading.replaceAll('`', ''))))
    const named = texts.flatMap((text) => [...text.matchAll(/RUNBOOK\.md#([\w-]+)/g)].map(([, anchor]) => anchor))
    expect(named.length).toBeGreaterThan(5)
    expect(named.filter((anchor) => !anchors.has(anchor ?? ''))).toEqual([])
  })

  test('names values that the chart has', () => {
    const values: unknown = parse(readFileSync(join(ROOT, 'charts/ingot/values.yaml'), 'utf8'), { merge: true })
    const named = texts.flatMap((text) => [...text.matchAll(/\b(?:redis|service)\.[\w.]*\w/g)].map(([path]) => path))
    expect(named.length).toBeGreaterThan(5)
    expect(named.filter((path) => valueAt(values, path) === undefined)).toEqual([])
  })
})

function valueAt(values: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, name) => {
    return typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined
  }, values)
}

describe('Markdown', () => {
  test('begins with the verdict, and has what failed and what to change', () => {
    const report = exampleReport({
      verdict: 'Fail',
      criteria: [{ name: 'lostItems', wanted: 'at most 0', seen: '3', met: false }],
    })
    const text = markdownOfReport(report)
    expect(text).toMatch(/^# Fail: A killed primary/)
    expect(text).toContain('## What to change\n\n- **lostItems** (wanted at most 0, seen 3): Look up the items')
    expect(text).toContain(`SHA-256 ${report.history.sha256}`)
  })

  test('shows hostile text as text: no tag, no link, no further cell', () => {
    const text = markdownOfReport(hostileReport())
    expect(text).not.toMatch(/(?<!\\)<(script|img|\/title)/)
    expect(text).not.toContain('https://evil')
    expect(text).not.toMatch(/[\u202E\u2066]/)
    const rows = text.split('\n').filter((line) => line.startsWith('| '))
    expect(rows.filter((row) => row.includes('**no**')).map((row) => row.split(/(?<!\\)\|/).length - 2)).toEqual([4])
  })
})

describe('JUnit', () => {
  test('of a passed drill has no failure', () => {
    const text = junitOfReport(passed)
    expect(text).toContain('tests="9" failures="0" errors="0" skipped="0"')
    expect(text).not.toContain('<failure')
  })

  test.each(['Fail', 'Inconclusive', 'Aborted'] as const)('of a drill that is %s has a failure', (verdict) => {
    expect(junitOfReport(exampleReport({ verdict }))).toContain(`<failure message="${verdict}: `)
  })

  test('has hostile text as text', () => {
    const text = junitOfReport(hostileReport())
    expect(text).not.toMatch(/<(script|img)/)
    // characters that XML cannot represent
    // oxlint-disable-next-line no-control-regex -- it looks for them
    expect(text).not.toMatch(/[\u0000\u001B]/)
    expect(text.match(/<testcase/g)).toHaveLength(5)
  })
})

describe('HTML', () => {
  test('begins with the verdict, and has figures, faults, criteria and the digest', () => {
    const text = htmlOfReport(passed)
    expect(text.indexOf('class="verdict Pass"')).toBeLessThan(text.indexOf('<h1>'))
    for (const part of ['6.4 s', 'RTO', 'RPO', 'kill-primary', passed.history.sha256, 'before: 9.2']) {
      expect(text).toContain(part)
    }
    expect(text).not.toContain('What to change')
  })

  test('says what to change about a missed criterion and a violated check', () => {
    const text = htmlOfReport(
      exampleReport({
        verdict: 'Fail',
        criteria: [{ name: 'unavailable', wanted: 'at most 5s', seen: '6.4 s', met: false }],
        checks: [{ name: 'nothing-lost', kind: 'violated', why: '', examples: ['item 7 is lost'], figures: {} }],
      }),
    )
    expect(text).toContain(adviceForCriterion('unavailable'))
    expect(text).toContain(adviceForCheck('nothing-lost'))
    expect(text).toContain('violated: item 7 is lost')
  })

  test('has hostile text as text', () => {
    const text = htmlOfReport(hostileReport())
    expect(text).not.toContain(HOSTILE)
    expect(text).not.toMatch(/<img|<script>alert|[\u202E\u2066]/)
    expect(text.match(/<script/g)).toHaveLength(2)
    expect(text.match(/<\/title>/g)?.length).toBe(text.match(/<title/g)?.length)
  })

  test('stays below its limit with an hour of load and more rows than a page can show', () => {
    const text = htmlOfReport(longReport())
    expect(Buffer.byteLength(text)).toBeLessThan(MAX_HTML_BYTES)
    expect(text).toContain('more rows are in the JSON report')
    expect(text).toContain('more examples are in the JSON report')
  })

  test.each([0, 1, 2])('is complete for %i seconds of load', (seconds) => {
    const text = htmlOfReport(exampleReport({ roles: [], marks: [], faults: [], errors: [] }, seconds))
    expect(text.split('<script')[0]).not.toMatch(/NaN|Infinity|undefined/)
    expect(text).toContain('No fault was injected')
  })

  test('shows moments that a wrong clock moved far away at the edge', () => {
    const [fault] = passed.faults
    const far = exampleReport({
      faults: fault === undefined ? [] : [{ ...fault, struckAt: '2036-01-01T00:00:00Z', undoneAt: 'never' }],
    })
    const text = htmlOfReport(far)
    expect(text).not.toMatch(/NaN|Infinity/)
    expect(text.match(/class="tick"/g)?.length).toBeLessThan(30)
  })
})
