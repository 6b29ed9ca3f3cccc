import { expect, test } from 'vitest'
import { createFakeClock } from '../testing/clock.ts'
import { createRetryNotes } from './retry-notes.ts'

test('reports an unavailable service once per reason, and again after it was available', async () => {
  const clock = createFakeClock()
  const notes = createRetryNotes(clock, 60_000)
  expect(notes.waiting(0)).toBeUndefined()
  expect(notes.retrying('no connection', 0)).toBe('no connection; retrying for 1 min 0 s')
  await clock.advance(5_000)
  expect(notes.retrying('no connection', 0)).toBeUndefined()
  expect(notes.waiting(0)).toBe('waiting for the service, 55 s left')
  expect(notes.retrying('503', 0)).toBe('503; retrying for 55 s')
  // results came
  expect(notes.waiting(7)).toBeUndefined()
  expect(notes.retrying('no connection', 7)).toBe('no connection; retrying for 1 min 0 s')
  await clock.advance(90_000)
  expect(notes.waiting(7)).toBe('waiting for the service, 0 s left')
})
