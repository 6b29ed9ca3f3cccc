import { expect, test } from 'vitest'
import { historyOf } from '../../testing/history-builder.ts'
import { faultsHappened } from './faults.ts'

test('proven faults are counted', () => {
  const events = historyOf((s) => {
    s.fault('kill')
    s.fault('kill')
  })
  expect(faultsHappened(events)).toMatchObject({ kind: 'valid', figures: { kill: 2 } })
})

test('a run is inconclusive without faults, without a proof, or if a kind of fault never took effect', () => {
  expect(faultsHappened([]).kind).toBe('inconclusive')
  expect(faultsHappened(historyOf((s) => s.fault('kill', { proof: '' }))).kind).toBe('inconclusive')
  const never = historyOf((s) => {
    s.fault('kill')
    s.fault('stop', { type: 'fail' })
  })
  expect(faultsHappened(never)).toMatchObject({ kind: 'inconclusive', why: 'tried, and never took effect: stop' })
})
