import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findingOf, inconclusive, type Verdict, worst } from '../checkers/verdict.ts'
import type { FaultStatus } from '../spec/status.ts'
import type { Criterion } from './criteria.ts'
import { decide, type Findings } from './verdict.ts'

const example = { says: 'item 7 is lost', events: [] }
const FOUND = { valid: findingOf([], {}), violated: findingOf([example], {}), inconclusive: inconclusive('no end') }

function verdictOf(checks: Readonly<Record<string, keyof typeof FOUND>>): Verdict {
  const found = Object.fromEntries(Object.entries(checks).map(([name, kind]) => [name, FOUND[kind]]))
  return { kind: worst(Object.values(checks)), checks: found }
}

const proven: FaultStatus = { name: 'kill', action: 'Kill', state: 'Proven' }
const met: Criterion = { name: 'lostItems', wanted: 'at most 0', seen: '0', met: true }
const missed: Criterion = { name: 'lostItems', wanted: 'at most 0', seen: '1', met: false }
const good: Findings = { verdict: verdictOf({ 'no-phantom': 'valid' }), criteria: [met], faults: [proven] }

test('a drill passes only if every check, criterion and fault is in order', () => {
  expect(decide(good)).toMatchObject({ verdict: 'Pass' })
})

describe('gaps', () => {
  test.each<[string, Partial<Findings>, string]>([
    ['a fault without proof', { faults: [{ ...proven, state: 'Unproven', proof: 'nothing moved' }] }, 'FaultUnproven'],
    ['a fault that was refused', { faults: [{ ...proven, state: 'Refused', proof: 'no rights' }] }, 'FaultRefused'],
    ['a record without its end', { verdict: verdictOf({ 'load-whole': 'inconclusive' }) }, 'RecordIncomplete'],
    ['a criterion without a value', { criteria: [{ name: 'latency', unknown: 'no write' }] }, 'CriterionUnknown'],
    ['a gate that stayed closed', { obstacle: { reason: 'NotSteady', message: 'x' } }, 'NotSteady'],
  ])('%s is inconclusive, and a loss beside it is a failure', (_, gap, reason) => {
    expect(decide({ ...good, ...gap })).toMatchObject({ verdict: 'Inconclusive', reason })
    expect(decide({ ...good, ...gap, criteria: [missed] })).toMatchObject({ verdict: 'Fail', reason: 'DataViolated' })
  })

  test('a drill without a record is inconclusive', () => {
    expect(decide({ criteria: [], faults: [proven] })).toMatchObject({ verdict: 'Inconclusive', reason: 'NoRecord' })
  })
})

test('an abort decides unless something was lost', () => {
  const aborted = { reason: 'Cancelled', message: 'spec.cancel was set' }
  expect(decide({ ...good, faults: [], aborted })).toEqual({ verdict: 'Aborted', ...aborted })
  expect(decide({ ...good, aborted, criteria: [missed] })).toMatchObject({ verdict: 'Fail' })
  expect(decide({ ...good, aborted, verdict: verdictOf({ 'one-id': 'violated' }) })).toMatchObject({ verdict: 'Fail' })
  // the abort has ended the load before the release could recover
  const late: Criterion = { name: 'recoveredWithin', wanted: '10s', seen: 'none', met: false }
  expect(decide({ ...good, aborted, criteria: [met, late] })).toMatchObject({ verdict: 'Aborted' })
  expect(decide({ ...good, aborted, verdict: verdictOf({ recovery: 'violated' }) })).toMatchObject({
    verdict: 'Aborted',
  })
})

test('a violated check fails the drill, except where a criterion counts it', () => {
  expect(decide({ ...good, verdict: verdictOf({ 'one-id': 'violated' }) })).toMatchObject({
    verdict: 'Fail',
    message: 'one-id: item 7 is lost',
  })
  const tolerated = { ...met, wanted: 'at most 5', seen: '1' }
  const counted = { ...good, verdict: verdictOf({ 'nothing-lost': 'violated' }), criteria: [tolerated] }
  expect(decide(counted)).toMatchObject({ verdict: 'Pass' })
})

test('no violation and no gap ever passes', () => {
  const kinds = fc.constantFrom('valid', 'violated', 'inconclusive')
  const states = fc.constantFrom('Pending', 'Injected', 'Proven', 'Unproven', 'Refused')
  fc.assert(
    fc.property(
      kinds,
      kinds,
      fc.array(states, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      (one, other, found, isMet) => {
        const faults = found.map((state, index): FaultStatus => ({ name: `f${index}`, action: 'Kill', state }))
        const criteria = [{ ...met, met: isMet }]
        const { verdict } = decide({ verdict: verdictOf({ 'one-id': one, 'no-phantom': other }), criteria, faults })
        const isWhole = one === 'valid' && other === 'valid' && isMet && found.every((state) => state === 'Proven')
        expect(verdict === 'Pass').toBe(isWhole)
        if (one === 'violated' || other === 'violated' || !isMet) expect(verdict).toBe('Fail')
      },
    ),
  )
})
