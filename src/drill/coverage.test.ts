import { expect, test } from 'vitest'
import { createHistoryBuilder } from '../testing/history-builder.ts'
import { createCoverage, faultKind } from './coverage.ts'

test('acknowledged operations and proven faults are seen; failures and unknown outcomes are not', () => {
  const builder = createHistoryBuilder()
  builder.save('a', 'created', { form: 'batch' })
  builder.save('b', 'info', { form: 'stream' })
  builder.remove('a', 'info')
  builder.fault('kill')
  builder.add({ op: 'f', f: 'fault', type: 'info', key: 'freeze' })
  const coverage = createCoverage()
  for (const event of builder.events) coverage.note(event)
  const wanted = ['save batch', 'save stream', 'delete', faultKind('kill'), faultKind('freeze')]
  expect(coverage.missing(wanted)).toEqual(['save stream', 'delete', 'fault freeze'])
  expect(coverage.has(faultKind('kill'))).toBe(true)
})
