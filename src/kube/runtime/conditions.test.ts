import { expect, test } from 'vitest'
import { type Condition, isSameJson, microTimeOf, type Observation, secondsOf, withConditions } from './conditions.ts'

const T0 = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const ready = (more: Partial<Observation> = {}): Observation => ({
  type: 'Ready',
  status: 'True',
  reason: 'AllHealthy',
  message: 'all servers are ready',
  observedGeneration: 1,
  ...more,
})

test('times have the forms that the API accepts', () => {
  expect(secondsOf(T0)).toBe('2026-01-02T03:04:05Z')
  expect(microTimeOf(T0)).toBe('2026-01-02T03:04:05.678000Z')
})

test('the transition time moves only when the status changes', () => {
  const first = withConditions([], [ready()], T0)
  const later = withConditions(first, [ready({ message: 'other words', observedGeneration: 2 })], T0 + 60_000)
  expect(later).toEqual([
    { ...ready({ message: 'other words', observedGeneration: 2 }), lastTransitionTime: secondsOf(T0) },
  ])
  const changed = withConditions(later, [ready({ status: 'False', reason: 'NoPrimary' })], T0 + 60_000)
  expect(changed[0]?.lastTransitionTime).toBe(secondsOf(T0 + 60_000))
})

test('conditions of other types stay, and the order does not depend on the input', () => {
  const other: Condition = { ...ready(), type: 'Accepted', lastTransitionTime: secondsOf(T0) }
  expect(withConditions([other], [ready()], T0).map(({ type }) => type)).toEqual(['Accepted', 'Ready'])
  expect(withConditions([], [ready(), ready({ type: 'Degraded' })], T0).map(({ type }) => type)).toEqual([
    'Degraded',
    'Ready',
  ])
})

test.each([
  [{ a: 1, b: [{ c: null }] }, { b: [{ c: null }], a: 1 }, true],
  [{ a: 1, b: undefined }, { a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [[1, 2], [2, 1], false],
  [{ a: {} }, { a: [] }, false],
  [{ a: 1 }, { a: '1' }, false],
  [{ a: 1 }, { b: 1 }, false],
  [null, {}, false],
])('%j and %j as JSON: same is %s', (a, b, same) => {
  expect(isSameJson(a, b)).toBe(same)
})
