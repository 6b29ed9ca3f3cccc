import { expect, test } from 'vitest'
import { createCombined } from './combine.ts'
import { type CounterExample, type Finding, findingOf, inconclusive, type Verdict, worst } from './verdict.ts'

const verdictOf = (checks: Readonly<Record<string, Finding>>): Verdict => ({
  kind: worst(Object.values(checks).map(({ kind }) => kind)),
  checks,
})
const example = (says: string): CounterExample => ({ says, events: [] })

function combined(...verdicts: readonly Verdict[]): Verdict {
  const all = createCombined({ shared: (check) => check === 'faults' })
  for (const verdict of verdicts) all.add(verdict)
  return all.verdict()
}

test('figures are summed over the parts, except figures that all parts share', () => {
  const part = (rows: number): Verdict =>
    verdictOf({ stored: findingOf([], { rows }), faults: findingOf([], { kill: 4 }) })
  expect(combined(part(10), part(32)).checks).toMatchObject({
    stored: { kind: 'valid', figures: { rows: 42 } },
    faults: { kind: 'valid', figures: { kill: 4 } },
  })
})

test('one violated part makes the result violated and keeps its counter-example', () => {
  const good = verdictOf({ stored: findingOf([], {}) })
  const bad = verdictOf({ stored: findingOf([example('content 7 is stored twice')], {}) })
  const verdict = combined(good, bad, good)
  expect(verdict.kind).toBe('violated')
  expect(verdict.checks['stored']?.counterExamples).toEqual([example('content 7 is stored twice')])
})

test('one inconclusive part makes the result inconclusive and keeps its reason', () => {
  const verdict = combined(
    verdictOf({ stored: findingOf([], {}) }),
    verdictOf({ stored: inconclusive('nothing was sent') }),
    verdictOf({ stored: findingOf([], {}) }),
  )
  expect(verdict).toMatchObject({ kind: 'inconclusive', checks: { stored: { why: 'nothing was sent' } } })
})

test('no parts are inconclusive', () => {
  expect(combined().kind).toBe('inconclusive')
})

test('the number of kept counter-examples is bounded, and the rest are counted', () => {
  const bad = verdictOf({
    stored: findingOf(
      Array.from({ length: 15 }, (_, n) => example(String(n))),
      {},
    ),
  })
  const found = combined(bad, bad, bad).checks['stored']
  expect(found?.counterExamples).toHaveLength(20)
  expect(found?.figures).toEqual({ violations: 45 })
})
