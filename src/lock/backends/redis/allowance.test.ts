import { expect, test } from 'vitest'
import { createFakeClock } from '../../../testing/clock.ts'
import { BURST, createAllowance, EARN_MS } from './allowance.ts'

test('allows a burst, then one per period, and never more than a burst', () => {
  const clock = createFakeClock()
  const allowance = createAllowance(clock)
  const spendable = (): number => {
    for (let n = 0; ; n++) {
      try {
        allowance.spend()
      } catch {
        return n
      }
    }
  }
  expect(spendable()).toBe(BURST)
  clock.block(EARN_MS - 1)
  expect(spendable()).toBe(0)
  clock.block(1)
  expect(spendable()).toBe(1)
  clock.block(EARN_MS * 2.5)
  expect(spendable()).toBe(2)
  clock.block(EARN_MS / 2)
  expect(spendable()).toBe(1)
  clock.block(EARN_MS * BURST * 10)
  expect(spendable()).toBe(BURST)
})

test('two servers that take epochs in turn permanently do not exhaust them in a year', () => {
  const YEAR_MS = 365 * 24 * 3_600_000
  const EPOCHS = 2 ** 23
  expect(BURST + YEAR_MS / EARN_MS).toBeLessThan(EPOCHS / 4)
})
