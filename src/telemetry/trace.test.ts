import { expect, test } from 'vitest'
import { traceFrom } from './trace.ts'

const ID = '0af7651916cd43dd8448eb211c80319c'

test('joins a well-formed trace with a span of its own', () => {
  const trace = traceFrom(`00-${ID}-b7ad6b7169203331-01`)
  expect(trace.traceId).toBe(ID)
  expect(trace.spanId).not.toBe('b7ad6b7169203331')
})

test.each([
  undefined,
  '',
  'garbage',
  `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
  `00-${ID}-${'0'.repeat(16)}-01`,
  `ff-${ID}-b7ad6b7169203331-01`,
  `00-${ID.toUpperCase()}-b7ad6b7169203331-01`,
])('starts a new trace for %s', (header) => {
  const trace = traceFrom(header)
  expect(trace.traceId).toMatch(/^[\da-f]{32}$/)
  expect(trace.traceId.toUpperCase()).not.toBe(ID.toUpperCase())
})
