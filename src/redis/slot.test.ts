import { expect, test } from 'vitest'
import { slotOf } from './slot.ts'

// results of CLUSTER KEYSLOT in Redis 8
test.each([
  ['123456789', 12739],
  ['foo', 12182],
  ['{foo}bar', 12182],
  ['a{foo}bar{x}', 12182],
  ['{}foo', 9500],
  ['foo{}{bar}', 8363],
  ['ü€', 9284],
])('%s is in slot %i', (key, slot) => {
  expect(slotOf(key)).toBe(slot)
})
