import { expect, test } from 'vitest'
import { historyOf } from '../../testing/history-builder.ts'
import { operationsOf } from './operations.ts'
import { byFailure, greatest, least, longestGapMs } from './responses.ts'

const EDGES = { fromMs: 100, untilMs: 1_000 }

test('the longest gap is between two acknowledgements, or between one and an edge', () => {
  expect(longestGapMs([700, 200, 900], EDGES)).toBe(500)
  expect(longestGapMs([700, 800, 900], EDGES)).toBe(600)
  expect(longestGapMs([200, 300], EDGES)).toBe(700)
  expect(longestGapMs([], EDGES)).toBe(900)
})

test('acknowledgements beyond the edges do not count', () => {
  expect(longestGapMs([50, 500, 1_200], EDGES)).toBe(500)
})

test('failures are classified by their error, or else by their outcome', () => {
  const events = historyOf((builder) => {
    builder.save('a', 'created')
    builder.beginSave('b')({ type: 'info', error: 'timeout' })
    builder.beginSave('c')({ type: 'fail', error: '429 OVERLOADED' })
    builder.save('d', 'info')
    builder.save('e', 'fail')
    builder.beginSave('f')
  })
  const counts = Array.from(byFailure(operationsOf(events, 'save')), ([name, { length }]) => [name, length])
  expect(counts).toEqual([
    ['timeout', 1],
    ['429 OVERLOADED', 1],
    ['info', 1],
    ['fail', 1],
    ['unanswered', 1],
  ])
})

test('least and greatest accept more values than a call accepts arguments, and no values', () => {
  const many = Array.from({ length: 500_000 }, (_, index) => (index * 7) % 500_000)
  expect([least(many), greatest(many)]).toEqual([0, 499_999])
  expect([least([]), greatest([])]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
})
