import { expect, test } from 'vitest'
import { durabilityOf } from './durability.ts'

const safe = { flushes: 1, logs: 0, syncs: 0, read_only: 0, sees: 1, replicas: 0 }

test('fences always rise on a server without replicas', () => {
  expect(durabilityOf(safe)).toEqual({ fencing: 'always' })
  expect(durabilityOf({ ...safe, logs: 1, syncs: '1' })).toEqual({ fencing: 'always' })
})

test.for([
  ['replicas', { replicas: '1' }],
  ['a log, and replicas that the user cannot see', { logs: 'ON', syncs: 1, sees: 0 }],
] as const)('with %s, fences may repeat after a failover', ([, changed]) => {
  const { fencing, reason } = durabilityOf({ ...safe, ...changed })
  expect(fencing).toBe('within-epoch')
  expect(reason).toBeDefined()
})

test.for([
  ['flushes once a second', { flushes: 2 }, 'innodb_flush_log_at_trx_commit'],
  ['does not sync its binary log', { logs: '1', syncs: 0 }, 'sync_binlog'],
  ['is read-only', { read_only: 'ON' }, 'read-only'],
] as const)('a server that %s is refused with the name of the setting', ([, changed, named]) => {
  expect(() => durabilityOf({ ...safe, ...changed })).toThrow(expect.objectContaining({ code: 'LOCK_UNSUITABLE' }))
  expect(() => durabilityOf({ ...safe, ...changed })).toThrow(named)
})
