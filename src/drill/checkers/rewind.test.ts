/** Tests the item checkers on a store that was restored to an earlier state. */
import { expect, test } from 'vitest'
import { createHistoryBuilder, type HistoryBuilder, holding } from '../../testing/history-builder.ts'
import { createdOnce, nothingLost } from './items.ts'

/** Restores the store: runs `meanwhile` between the copy and the end of the fault. */
function putBack(builder: HistoryBuilder, meanwhile: () => void, losesItems = true): void {
  const fault = { op: 'restore', f: 'fault', key: 'store-restore', losesItems } as const
  builder.add({ ...fault, type: 'invoke' })
  meanwhile()
  builder.add({ ...fault, type: 'ok', proof: 'seen' })
}

function judged(build: (builder: HistoryBuilder) => void, ...kept: readonly string[]) {
  const builder = createHistoryBuilder()
  // so that the history always has an acknowledged save
  builder.save('kept', 'created')
  build(builder)
  const store = holding('kept', ...kept)
  return {
    lost: nothingLost(builder.events, store).kind,
    once: createdOnce(builder.events).kind,
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
  const build = (s: HistoryBuilder): void => {
    s.save('a', 'created')
    putBack(s, () => s.remove('a', 'deleted'))
  }
  expect(judged(build, 'a')).toEqual(VALID)
  expect(judged(build)).toEqual(VALID)
})

test('a content saved before the copy must be present', () => {
  const build = (s: HistoryBuilder): void => {
    s.save('a', 'created')
    putBack(s, () => s.save('b', 'created'))
  }
  expect(judged(build, 'b').lost).toBe('violated')
})

test('a content reported as a duplicate afterwards must be present', () => {
  const build = (s: HistoryBuilder): void => {
    putBack(s, () => s.save('a', 'created'))
    s.save('a', 'duplicate')
  }
  expect(judged(build, 'a')).toEqual(VALID)
  expect(judged(build).lost).toBe('violated')
})

test('a change is undone once: a content created again afterwards is not created a third time', () => {
  const build = (s: HistoryBuilder): void => {
    putBack(s, () => s.save('a', 'created'))
    s.save('a', 'created')
    s.save('a', 'created')
  }
  expect(judged(build, 'a').once).toBe('violated')
})

test('an observation that fits before the rewind may follow it', () => {
  const build = (s: HistoryBuilder): void => {
    putBack(s, () => s.save('a', 'created'))
    const create = s.beginSave('a')
    const look = s.beginSave('a')
    look({ type: 'ok', result: 'duplicate', id: 'id-a' })
    create({ type: 'ok', result: 'created', id: 'id-a' })
  }
  expect(judged(build, 'a')).toEqual(VALID)
})

test('a fault that loses no items explains no missing item', () => {
  const build = (s: HistoryBuilder): void => putBack(s, () => s.save('a', 'created'), false)
  expect(judged(build).lost).toBe('violated')
})
