import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createVoteEligibility, type ServerFacts } from './eligibility.ts'

const MAX_MS = 10_000
const ALLOWANCE_MS = 102

const server = (facts: Partial<ServerFacts> = {}): ServerFacts => ({
  runId: 'a',
  uptimeMs: 0,
  durable: false,
  ...facts,
})

test('a server that was not examined on this connection has no vote', () => {
  const eligibility = createVoteEligibility(MAX_MS, ALLOWANCE_MS)
  expect(eligibility.eligibleInMs(0)).toBeUndefined()
  eligibility.examined(server({ durable: true }), 5)
  expect(eligibility.eligibleInMs(5)).toBe(0)
  eligibility.lost()
  expect(eligibility.eligibleInMs(6)).toBeUndefined()
})

test('a server counts after it was observed for the longest lease, also across lost connections', () => {
  const eligibility = createVoteEligibility(MAX_MS, ALLOWANCE_MS)
  eligibility.examined(server(), 1_000)
  expect(eligibility.eligibleInMs(1_000)).toBe(MAX_MS)
  eligibility.lost()
  eligibility.examined(server(), 9_000)
  expect(eligibility.eligibleInMs(10_999)).toBe(1)
  expect(eligibility.eligibleInMs(11_000)).toBe(0)
})

test('a restarted server begins anew, also when an earlier process comes back', () => {
  const eligibility = createVoteEligibility(MAX_MS, ALLOWANCE_MS)
  eligibility.examined(server(), 0)
  eligibility.lost()
  eligibility.examined(server({ runId: 'b' }), 20_000)
  expect(eligibility.eligibleInMs(20_000)).toBe(MAX_MS)
  eligibility.lost()
  eligibility.examined(server(), 21_000)
  expect(eligibility.eligibleInMs(21_000)).toBe(MAX_MS)
})

test('a server counts at once when its uptime exceeds the longest lease, a second and the allowance', () => {
  const needed = MAX_MS + 1_000 + ALLOWANCE_MS
  const eligibility = createVoteEligibility(MAX_MS, ALLOWANCE_MS)
  eligibility.examined(server({ uptimeMs: needed }), 0)
  expect(eligibility.eligibleInMs(0)).toBe(1)
  eligibility.examined(server({ uptimeMs: needed + 1 }), 0)
  expect(eligibility.eligibleInMs(0)).toBe(0)
})

test('no vote counts within the longest lease after the start of a server without durable votes', () => {
  const step = fc.record({
    passMs: fc.nat({ max: 8_000 }),
    what: fc.constantFrom('drop', 'restart', 'examine', 'nothing'),
    // INFO counts whole seconds and may be ahead by one
    ahead: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const eligibility = createVoteEligibility(MAX_MS, ALLOWANCE_MS)
      let now = 0
      let startedMs = 0
      let runs = 0
      let connected = true
      for (const { passMs, what, ahead } of steps) {
        now += passMs
        if (what === 'restart') {
          runs++
          startedMs = now
        }
        if (what === 'restart' || what === 'drop') {
          connected = false
          eligibility.lost()
        }
        if (what === 'examine') {
          connected = true
          const seconds = Math.floor((now - startedMs) / 1_000) + (ahead ? 1 : 0)
          eligibility.examined(server({ runId: String(runs), uptimeMs: seconds * 1_000 }), now)
        }
        const counts = eligibility.eligibleInMs(now) === 0
        if (counts) expect(now - startedMs).toBeGreaterThanOrEqual(MAX_MS)
        if (counts) expect(connected).toBe(true)
      }
    }),
  )
})
