/** Port to the Redis servers and Sentinels of a release under test. */
import type { Pod } from '../../../kube/pods.ts'
import type { ServerRole } from '../../../redis/topology/roles.ts'
import type { CallOptions } from '../../../std/run-program.ts'

export type RedisCall = Pick<CallOptions, 'signal' | 'timeoutMs'>

export interface RedisView {
  /** Resolves with the roles of the servers. A server that does not respond is left out. */
  roles(pods: readonly Pod[], options: RedisCall): Promise<readonly ServerRole[]>
  /** Resolves with the primary host that each Sentinel names; empty if it names none or does not respond. */
  sentinelViews(pods: readonly Pod[], options: RedisCall): Promise<readonly string[]>
  /** Sends a command to the server of a pod. Rejects if the server does not respond in time or refuses the command. */
  command(pod: Pod, words: readonly string[], options: RedisCall): Promise<string>
  /** Requests a failover to this replica from the Sentinels. */
  sentinelFailover(replica: Pod, options: RedisCall): Promise<void>
  /** Resolves with the first of the pods that is primary. Rejects after 30 s. */
  awaitPrimary(pods: readonly Pod[], options: RedisCall): Promise<string>
}
