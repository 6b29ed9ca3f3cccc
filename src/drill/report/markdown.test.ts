import { expect, test } from 'vitest'
import type { Verdict } from '../checkers/verdict.ts'
import { findingOf } from '../checkers/verdict.ts'
import { CALM } from './example-outage.ts'
import { junitOf } from './junit.ts'
import { reportOf } from './markdown.ts'
import { type CaseResult, failureReasons, isPassed } from './results.ts'

const VALID: Verdict = {
  kind: 'valid',
  checks: { 'nothing-lost': findingOf([], {}), 'stored-once': findingOf([], {}) },
}
const LOST: Verdict = {
  kind: 'violated',
  checks: {
    'nothing-lost': findingOf([{ says: 'content <a> & "b" is lost', events: [] }], {}),
    'stored-once': findingOf([], {}),
  },
}
const RESULT: CaseResult = {
  setup: { mode: 'sentinel', store: 'postgres', lock: 'auto' },
  name: 'primary-kill',
  isControl: false,
  verdict: VALID,
  expected: 'valid',
  proof: 'its UID is gone',
  outage: CALM,
  floorMs: 0,
  goals: [],
  tookMs: 61_000,
}
const CONTROL: CaseResult = {
  ...RESULT,
  name: 'answer-before-commit',
  isControl: true,
  expected: 'violated',
  breaks: 'nothing-lost',
}

test('a drill passes when it is valid and meets every goal', () => {
  expect(isPassed(RESULT)).toBe(true)
  expect(isPassed({ ...RESULT, verdict: LOST })).toBe(false)
  expect(isPassed({ ...RESULT, verdict: { kind: 'inconclusive', checks: {} } })).toBe(false)
  const missed = { ...RESULT, goals: [{ says: 'no write fails', met: false, seen: 'timeout 3' }] }
  expect(isPassed(missed)).toBe(false)
  const slow = { says: 'at most 5 s', met: false, seen: '6 s', isTime: true } as const
  expect(isPassed({ ...RESULT, goals: [slow] })).toBe(true)
  expect(reportOf([{ ...RESULT, goals: [slow] }])).toContain(
    '**missed**: sentinel-postgres-auto-primary-kill: at most 5 s',
  )
  expect(failureReasons(missed)).toEqual(['missed: no write fails (timeout 3)', 'the fault: its UID is gone'])
})

test('a control passes only when the expected check is violated', () => {
  expect(isPassed({ ...CONTROL, verdict: LOST })).toBe(true)
  expect(isPassed({ ...CONTROL, verdict: VALID })).toBe(false)
  expect(isPassed({ ...CONTROL, verdict: LOST, breaks: 'stored-once' })).toBe(false)
  expect(isPassed({ ...CONTROL, verdict: { kind: 'inconclusive', checks: {} }, expected: 'inconclusive' })).toBe(false)
})

test('the report names every drill, its figures and its goals', () => {
  const goals = [{ says: 'no Redis fault fails a write', met: true, seen: 'none failed' }]
  const report = reportOf([
    { ...RESULT, goals },
    { ...CONTROL, verdict: LOST },
  ])
  expect(report).toContain('2 of 2 as expected')
  expect(report).toContain(
    '| sentinel-postgres-auto-primary-kill | valid | 0 | 0 | 0.3 s | 0.1 s | 0.2 s | none failed | 0.0 s |',
  )
  expect(report).toContain('- met: sentinel-postgres-auto-primary-kill: no Redis fault fails a write (none failed)')
  expect(report).toContain('violated (expected: violated)')
})

test('JUnit counts failures and escapes characters that XML does not allow', () => {
  const xml = junitOf([RESULT, { ...RESULT, verdict: LOST }])
  expect(xml).toContain('tests="2" failures="1"')
  expect(xml).toContain('content &lt;a&gt; &amp; &quot;b&quot; is lost')
})

test('a setup that could not be judged is a separate failure', () => {
  const broken = [{ setup: 'cluster-postgres-auto', why: 'helm cannot be run' }]
  expect(junitOf([RESULT], broken)).toContain('tests="2" failures="1"')
  expect(reportOf([RESULT], broken)).toContain('**cluster-postgres-auto was not judged**: helm cannot be run')
})
