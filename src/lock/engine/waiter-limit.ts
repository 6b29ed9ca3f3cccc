/** How many callers of this process wait for locks, so that a stuck key does not fill the memory with waiters. */
import { LockFault } from '../failure.ts'

export interface Crowd {
  /** Counts one more waiter. Throws `OVERLOADED` when there are as many as allowed. */
  join(): void
  leave(): void
}

export function createCrowd(max: number): Crowd {
  let waiting = 0
  return {
    join() {
      if (waiting >= max) throw new LockFault('overloaded', 'OVERLOADED', `${waiting} callers wait for locks already`)
      waiting++
    },
    leave: () => void waiting--,
  }
}
