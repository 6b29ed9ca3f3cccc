/** The dependencies of the parts of the service. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../std/clock.ts'
import type { Scope } from '../std/scope.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Open } from './start-wait.ts'
import type { ServiceWatch } from './watch.ts'

export interface ServiceDeps {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Learns of parts whose state the status shows. */
  readonly watch: ServiceWatch
  /** Closes the registered resources at the end, in reverse order. */
  readonly scope: Scope
  /** Opens a dependency that may start after the service. */
  readonly open: Open
}
