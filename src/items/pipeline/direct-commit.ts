/**
 * Puts each unit at once and concurrently, for stores that gain nothing from batches. The limit of pending items is the
 * same as for group commit.
 */

import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { withSpan } from '../../telemetry/spans.ts'
import type { StoreWriter, Unit, UnitOutcome } from '../store.ts'
import { type GroupCommit, waitForCapacity } from './group-commit.ts'

export interface DirectCommitOptions {
  readonly store: Pick<StoreWriter, 'put'>
  readonly clock: Clock
  readonly maxPendingItems: number
}

export function createDirectCommit(options: DirectCommitOptions): GroupCommit {
  const { store, clock, maxPendingItems } = options
  const capacityWaiters = new Set<() => void>()
  /** Submission times of the units in flight, oldest first, by unit. */
  const since = new Map<Unit, number>()
  let pending = 0
  let bytes = 0

  async function run(unit: Unit): Promise<UnitOutcome> {
    const size = unit.items.reduce((sum, item) => sum + item.content.length, 0)
    pending += unit.items.length
    bytes += size
    since.set(unit, clock.monotonicMs())
    try {
      const attributes = { 'ingot.items': unit.items.length, 'ingot.units': 1 }
      const [outcome] = await withSpan('ingot.commit', attributes, () => store.put([unit], clock.wallMs()))
      if (outcome === undefined) throw new IngotError('INTERNAL', 'the store returned fewer outcomes than units')
      return outcome
    } finally {
      pending -= unit.items.length
      bytes -= size
      since.delete(unit)
      for (const waiter of capacityWaiters) waiter()
    }
  }

  return {
    submit: async (unit) => {
      if (pending >= maxPendingItems) throw new IngotError('OVERLOADED', `${pending} items wait to be stored`)
      return run(unit)
    },
    waitForCapacity: (signal) =>
      pending < maxPendingItems ? Promise.resolve() : waitForCapacity(capacityWaiters, signal),
    pendingItems: () => pending,
    pendingBytes: () => bytes,
    oldestMs() {
      const [oldest] = since.values()
      return oldest === undefined ? 0 : clock.monotonicMs() - oldest
    },
  }
}
