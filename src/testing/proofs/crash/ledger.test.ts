import { expect, test } from 'vitest'
import { createContent } from '../../../drill/workloads/content.ts'
import { createRandom } from '../../../std/random.ts'
import { createLedger, type Ledger } from './ledger.ts'

const content = createContent(1, createRandom(1))
const entry = { content, spelling: 0 }

function acknowledge(ledger: Ledger, name: string, status: 'created' | 'duplicate', sentAt = ledger.tick()): void {
  ledger.acknowledge({ entry, id: 'id', status, request: { name, sentAt } })
}

test('accepts one creation and its duplicates in any order of their responses', () => {
  const ledger = createLedger()
  const early = ledger.tick()
  acknowledge(ledger, '2', 'duplicate')
  acknowledge(ledger, '1', 'created', early)
  acknowledge(ledger, '3', 'duplicate')
  expect(ledger.violations).toEqual([])
  expect(ledger.acknowledgements).toBe(3)
})

test('reports a content that two requests created', () => {
  const ledger = createLedger()
  const early = ledger.tick()
  acknowledge(ledger, '1', 'created', early)
  acknowledge(ledger, '2', 'created', early)
  expect(ledger.violations).toHaveLength(1)
})

test('reports a creation after an acknowledgement', () => {
  const ledger = createLedger()
  acknowledge(ledger, '1', 'duplicate')
  acknowledge(ledger, '2', 'created')
  expect(ledger.violations).toHaveLength(1)
})

test('accepts that a creation is reported again under its idempotency key', () => {
  const ledger = createLedger()
  const request = { name: '1', sentAt: ledger.tick() }
  acknowledge(ledger, '2', 'duplicate')
  ledger.acknowledge({
    entry,
    id: 'id',
    status: 'created',
    request: { ...request, sentAt: ledger.tick() },
    replayed: true,
  })
  expect(ledger.violations).toEqual([])
})

test('reports two ids and two first-seen times', () => {
  const ledger = createLedger()
  const request = { name: '1', sentAt: ledger.tick() }
  ledger.acknowledge({ entry, id: 'a', status: 'duplicate', firstSeen: 'then', request })
  ledger.acknowledge({ entry, id: 'b', status: 'duplicate', firstSeen: 'now', request })
  expect(ledger.violations).toHaveLength(2)
})
