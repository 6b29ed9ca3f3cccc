/** Options of the lock on a majority of independent Redis servers. */
import type { Clock } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'

export interface RedlockDeps {
  readonly clock: Clock
  /** Default: silent. */
  readonly log?: Log
  /**
   * The longest lease that any client of these nodes asks for, in milliseconds. It must be the same for all clients. A
   * longer lease is refused. After a restart, and after the first start, the votes of a node without
   * `appendfsync always` do not count for this long. Default: `max-lease` of the URL, or 10000.
   */
  readonly maxLeaseMs?: number
}
