/** Reads the state of Redis servers and Sentinels with redis-cli in their own pods. */
import type { Kubectl } from '../../../kube/kubectl.ts'
import { parseRole, ROLE_COMMANDS, type ServerRole } from '../../../redis/topology/roles.ts'
import { parsePrimaryHost } from '../../../redis/topology/sentinel-replies.ts'
import type { CallOptions } from '../../../std/run-program.ts'

/** Path at which the chart mounts its script. It defines `local_cli`, `redis_at` and `sentinel_at`. */
const LIBRARY = '/etc/ingot/redis/lib.sh'
const MASTER_NAME = 'ingot'

interface Named {
  readonly name: string
}

/** Runs a script with the chart's shell functions in a container of a pod; `at` is `POD` or `POD/CONTAINER`. */
export function chartShell(kubectl: Kubectl, at: string, script: string, options: CallOptions): Promise<string> {
  return kubectl.exec(at, ['sh', '-c', `. ${LIBRARY}; ${script}`], options)
}

/** Runs a script with the chart's shell functions in the container of a Redis server. */
export function redisShell(kubectl: Kubectl, pod: string, script: string, options: CallOptions): Promise<string> {
  return chartShell(kubectl, `${pod}/redis`, script, options)
}

/** Resolves with the roles of the servers. A server that does not respond is left out. */
export async function readRoles(
  kubectl: Kubectl,
  pods: readonly Named[],
  options: CallOptions,
): Promise<readonly ServerRole[]> {
  const script = ROLE_COMMANDS.map((command) => `local_cli ${command}`).join('; ')
  const roles = await Promise.all(
    pods.map(async ({ name }) => {
      const text = await redisShell(kubectl, name, `${script}; true`, options).catch(() => '')
      return parseRole(name, text) ?? []
    }),
  )
  return roles.flat()
}

/** Resolves with the primary host that each Sentinel names; empty if it names none or does not respond. */
export function readSentinelViews(
  kubectl: Kubectl,
  pods: readonly Named[],
  options: CallOptions,
): Promise<readonly string[]> {
  const script = `sentinel_at localhost SENTINEL GET-MASTER-ADDR-BY-NAME ${MASTER_NAME}`
  return Promise.all(
    pods.map(async ({ name }) => {
      const text = await chartShell(kubectl, `${name}/sentinel`, script, options).catch(() => '')
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
export async function awaitPrimary(kubectl: Kubectl, pods: readonly Named[], options: CallOptions): Promise<string> {
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
  return (await redisShell(kubectl, first.name, script, options)).trim()
}
