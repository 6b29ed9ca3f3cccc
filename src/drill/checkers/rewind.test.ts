/** Tests the item checkers on a store that was restored to an earlier state. */
import { expect, test } from 'vitest'
import { createHistoryBuilder, type HistoryBuilder, holding } from '../../testing/history-builder.ts'
import { createdOnce, nothingLost } from './items.ts'

/** Restores the store: runs `meanwhile` between the copy and the end of the fault. */
function putBack(story: HistoryBuilder, meanwhile: () => void, losesItems = true): void {
  const fault = { op: 'restore', f: 'fault', key: 'store-restore', losesItems } as const
  story.add({ ...fault, type: 'invoke' })
  meanwhile()
  story.add({ ...fault, type: 'ok', proof: 'seen' })
}

function judged(tell: (story: HistoryBuilder) => void, ...kept: readonly string[]) {
  const story = createHistoryBuilder()
  // so that the history always has an acknowledged save
  story.save('kept', 'created')
  tell(story)
  const store = holding('kept', ...kept)
  return {
    lost: nothingLost(story.events, store).kind,
    once: createdOnce(story.events).kind,
  }
}

const VALID = { lost: 'valid', once: 'valid' }

test('a content saved meanwhile may be absent, and may be created again', () => {
  const saved = (s: HistoryBuilder): void => putBack(s, () => s.save('a', 'created'))
  expect(judged(saved)).toEqual(VALID)
  const again = (s: HistoryBuilder): void => {
    saved(s)
    s.save('a', 'created')
    s.save('a', 'duplicate')
  }
  expect(judged(again, 'a')).toEqual(VALID)
  expect(judged(saved, 'a')).toEqual(VALID)
})

test('a content deleted meanwhile may be present again', () => {
  const tell = (s: HistoryBuilder): void => {
    s.save('a', 'created')
    putBack(s, () => s.remove('a', 'deleted'))
  }
  expect(judged(tell, 'a')).toEqual(VALID)
  expect(judged(tell)).toEqual(VALID)
})

test('a content saved before the copy must be present', () => {
  const tell = (s: HistoryBuilder): void => {
    s.save('a', 'created')
    putBack(s, () => s.save('b', 'created'))
  }
  expect(judged(tell, 'b').lost).toBe('violated')
})

test('a content reported as a duplicate afterwards must be present', () => {
  const tell = (s: HistoryBuilder): void => {
    putBack(s, () => s.save('a', 'created'))
    s.save('a', 'duplicate')
  }
  expect(judged(tell, 'a')).toEqual(VALID)
  expect(judged(tell).lost).toBe('violated')
})

test('a change is undone once: a content created again afterwards is not created a third time', () => {
  const tell = (s: HistoryBuilder): void => {
    putBack(s, () => s.save('a', 'created'))
    s.save('a', 'created')
    s.save('a', 'created')
  }
  expect(judged(tell, 'a').once).toBe('violated')
})

test('an observation that fits before the rewind may follow it', () => {
  const tell = (s: HistoryBuilder): void => {
    putBack(s, () => s.save('a', 'created'))
    const create = s.beginSave('a')
    const look = s.beginSave('a')
    look({ type: 'ok', result: 'duplicate', id: 'id-a' })
    create({ type: 'ok', result: 'created', id: 'id-a' })
  }
  expect(judged(tell, 'a')).toEqual(VALID)
})

test('a fault that loses no items explains no missing item', () => {
  const tell = (s: HistoryBuilder): void => putBack(s, () => s.save('a', 'created'), false)
  expect(judged(tell).lost).toBe('violated')
})
