import { expect, test } from 'vitest'
import { faultTable } from './fault-table.ts'

test('the table has a line for each fault, and one for a service without faults', () => {
  const figures = [{ fault: 'leader-kill', times: 3, pauseMs: 1_240, overlaps: 0, outOfOrder: 0 }]
  const text = faultTable([
    { version: 'etcd', verdict: { kind: 'valid', checks: {} }, figures },
    { version: 'postgres', verdict: { kind: 'inconclusive', checks: {} }, figures: [] },
  ])
  expect(text.split('\n').slice(-3)).toEqual([
    '| etcd | valid | leader-kill | 3 | 1.2 s | 0 | 0 |',
    '| postgres | inconclusive | none | – | – | – | – |',
    '',
  ])
})
