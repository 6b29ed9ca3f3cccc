import { expect, test } from 'vitest'
import { holding } from '../../testing/history-builder.ts'
import { type Checker, findingOf, inconclusive, judge } from './verdict.ts'

const valid: Checker = () => findingOf([], {})
const violated: Checker = () => findingOf([{ says: 'no', events: [] }], {})
const unsure: Checker = () => inconclusive('not judged')

const kind = (...checkers: readonly Checker[]) => judge(Object.fromEntries(checkers.entries()), [], holding()).kind

test('the worst finding is the verdict, and no findings are inconclusive', () => {
  expect(kind(valid, valid)).toBe('valid')
  expect(kind(valid, unsure)).toBe('inconclusive')
  expect(kind(unsure, violated, valid)).toBe('violated')
  expect(kind()).toBe('inconclusive')
})

test('a checker that throws is inconclusive, and reports the error', () => {
  const broken: Checker = () => {
    throw new Error('a bug')
  }
  const verdict = judge({ broken }, [], holding())
  expect(verdict.kind).toBe('inconclusive')
  expect(verdict.checks['broken']?.why).toContain('a bug')
})
