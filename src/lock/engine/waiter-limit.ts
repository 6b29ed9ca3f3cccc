/** How many callers of this process wait for locks, so that a stuck key does not fill the memory with waiters. */
import { LockError } from '../lock-error.ts'

export interface WaiterLimit {
  /** Counts one more waiter. Throws `OVERLOADED` when there are as many as allowed. */
  join(): void
  leave(): void
}

export function createWaiterLimit(max: number): WaiterLimit {
  let waiting = 0
  return {
    join() {
      if (waiting >= max) throw new LockError('overloaded', 'OVERLOADED', `${waiting} callers wait for locks already`)
      waiting++
    },
    leave: () => void waiting--,
  }
}
