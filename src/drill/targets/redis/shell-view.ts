/** Reads the state of Redis servers and Sentinels with redis-cli in their own pods. Needs the right to run commands there. */
import type { Pod } from '../../../kube/pods.ts'
import { parseRole, ROLE_COMMANDS, type ServerRole } from '../../../redis/topology/roles.ts'
import { parsePrimaryHost } from '../../../redis/topology/sentinel-replies.ts'
import type { CallOptions } from '../../../std/run-program.ts'
import type { RedisView } from './view.ts'

/** Path at which the chart mounts its script. It defines `local_cli`, `redis_at` and `sentinel_at`. */
const LIBRARY = '/etc/ingot/redis/lib.sh'
const MASTER_NAME = 'ingot'

type Named = Pick<Pod, 'name'>

/** Runs commands in containers; `at` is `POD` or `POD/CONTAINER`. */
export interface Shell {
  exec(at: string, command: readonly string[], options: Pick<CallOptions, 'signal' | 'timeoutMs'>): Promise<string>
}

type ShellOptions = Pick<CallOptions, 'signal' | 'timeoutMs'>

/** Returns the port on top of redis-cli. */
export function createShellView(shell: Shell): RedisView {
  return {
    roles: (pods, options) => readRoles(shell, pods, options),
    sentinelViews: (pods, options) => readSentinelViews(shell, pods, options),
    async command(pod, words, options) {
      const reply = await redisShell(shell, pod.name, `local_cli ${words.map(quoted).join(' ')}`, options)
      if (REFUSAL.test(reply)) throw new Error(`${pod.name} refused ${words[0]}: ${reply.trim()}`)
      return reply
    },
    async sentinelFailover(replica, options) {
      const script = `sentinel_at "$(sentinel_hosts | head -n 1)" SENTINEL FAILOVER ${MASTER_NAME}`
      await redisShell(shell, replica.name, script, options)
    },
    awaitPrimary: (pods, options) => awaitPrimary(shell, pods, options),
  }
}

/** Matches a reply that is an error: an upper-case code and a message. */
const REFUSAL = /^(ERR|[A-Z]{4,}) \S/

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** Runs a script with the chart's shell functions in a container of a pod; `at` is `POD` or `POD/CONTAINER`. */
export function chartShell(shell: Shell, at: string, script: string, options: ShellOptions): Promise<string> {
  return shell.exec(at, ['sh', '-c', `. ${LIBRARY}; ${script}`], options)
}

/** Runs a script with the chart's shell functions in the container of a Redis server. */
export function redisShell(shell: Shell, pod: string, script: string, options: ShellOptions): Promise<string> {
  return chartShell(shell, `${pod}/redis`, script, options)
}

/** Resolves with the roles of the servers. A server that does not respond is left out. */
export async function readRoles(
  shell: Shell,
  pods: readonly Named[],
  options: ShellOptions,
): Promise<readonly ServerRole[]> {
  const script = ROLE_COMMANDS.map((command) => `local_cli ${command}`).join('; ')
  const roles = await Promise.all(
    pods.map(async ({ name }) => {
      const text = await redisShell(shell, name, `${script}; true`, options).catch(() => '')
      return parseRole(name, text) ?? []
    }),
  )
  return roles.flat()
}

/** Resolves with the primary host that each Sentinel names; empty if it names none or does not respond. */
export function readSentinelViews(
  shell: Shell,
  pods: readonly Named[],
  options: ShellOptions,
): Promise<readonly string[]> {
  const script = `sentinel_at localhost SENTINEL GET-MASTER-ADDR-BY-NAME ${MASTER_NAME}`
  return Promise.all(
    pods.map(async ({ name }) => {
      const text = await chartShell(shell, `${name}/sentinel`, script, options).catch(() => '')
      return parsePrimaryHost(text) ?? ''
    }),
  )
}

/** Longest time until one of the pods becomes primary, in seconds. */
const PROMOTION_S = 30

/**
 * Resolves with the first of the pods that is primary. A loop in one of the pods watches all of them, because calls from
 * outside are too slow. Rejects after 30 s.
 */
export async function awaitPrimary(shell: Shell, pods: readonly Named[], options: ShellOptions): Promise<string> {
  const names = pods.map(({ name }) => name).join(' ')
  const script = `end=$(($(date +%s) + ${PROMOTION_S}))
    while [ "$(date +%s)" -lt "$end" ]; do
      for pod in ${names}; do
        [ "$(redis_at "$pod.$REDIS_DOMAIN" ROLE | head -n 1)" != master ] || { echo "$pod" && exit; }
      done
      sleep 0.2
    done
    exit 1`
  const [first] = pods
  if (first === undefined) throw new Error('there is no replica')
  return (await redisShell(shell, first.name, script, options)).trim()
}
