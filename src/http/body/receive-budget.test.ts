import { expect, test } from 'vitest'
import { createReceiveBudget } from './receive-budget.ts'

test('bounds the bytes of all leases together, and returns the bytes of a closed lease', () => {
  const budget = createReceiveBudget(100)
  const [one, other] = [budget.open(), budget.open()]
  one.resize(60)
  other.resize(40)
  expect(() => other.resize(41)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }) as Error)
  expect(budget.heldBytes).toBe(100)
  one.resize(20)
  other.resize(80)
  one.close()
  one.resize(50)
  one.close()
  expect(budget.heldBytes).toBe(80)
  other.close()
  expect(budget.heldBytes).toBe(0)
})
