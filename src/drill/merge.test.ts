import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHistoryBuilder } from '../testing/history-builder.ts'
import type { Event } from './history.ts'
import { mergeHistories } from './merge.ts'

function event(op: string, tMono: number, type: Event['type'] = 'invoke'): Event {
  return { seq: 1, process: 'p', op, f: 'save', type, key: 'k', tMono, tWall: 0 }
}

test('events are merged in order of time and numbered again, and none is lost', () => {
  const histories = fc.array(fc.array(fc.nat(20), { maxLength: 10 }), { maxLength: 4 })
  fc.assert(
    fc.property(histories, (times) => {
      const parts = times.map((part, h) => part.map((ms, index) => event(`${h}.${index}`, ms)))
      const merged = mergeHistories(parts)
      expect(merged.map(({ seq }) => seq)).toEqual(merged.map((_, index) => index + 1))
      expect(merged.map(({ tMono }) => tMono)).toEqual(times.flat().toSorted((a, b) => a - b))
      expect(new Set(merged.map(({ op }) => op)).size).toBe(times.flat().length)
    }),
  )
})

test('invocations precede completions of the same moment', () => {
  const merged = mergeHistories([[event('a', 1), event('a', 5, 'ok')], [event('b', 5)]])
  expect(merged.map(({ op, type }) => `${op} ${type}`)).toEqual(['a invoke', 'b invoke', 'a ok'])
})

test('a history that is given twice is refused', () => {
  const builder = createHistoryBuilder()
  builder.save('a', 'created')
  expect(() => mergeHistories([builder.events, builder.events])).toThrow(
    /two histories have an operation "o1" \(save\)/,
  )
})
