/** Asks every Redis server and Sentinel, in its own pod, with the words of the chart's scripts. */
import type { Kubectl } from '../../../kube/kubectl.ts'
import type { Pod } from '../../../kube/pods.ts'
import { parseRole, ROLE_COMMANDS, type ServerRole } from '../../../redis/topology/roles.ts'
import type { CallOptions } from '../../../std/run-program.ts'

/** Where the chart mounts its scripts; `local_cli`, `redis_at` and `sentinel_at` are theirs. */
const LIBRARY = '/etc/ingot/redis/lib.sh'
const MASTER = 'ingot'

/** Commands of the scripts' shell in a Redis pod. */
export function redisShell(kubectl: Kubectl, pod: string, script: string, options: CallOptions): Promise<string> {
  return kubectl.exec(`${pod}/redis`, ['sh', '-c', `. ${LIBRARY}; ${script}`], options)
}

/** One that does not answer is left out. */
export async function askRoles(
  kubectl: Kubectl,
  pods: readonly Pod[],
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

/** Whom each Sentinel calls the master; empty when it names nobody, or does not answer. */
export function askSentinels(kubectl: Kubectl, pods: readonly Pod[], options: CallOptions): Promise<readonly string[]> {
  const script = `. ${LIBRARY}; sentinel_at localhost SENTINEL GET-MASTER-ADDR-BY-NAME ${MASTER}`
  return Promise.all(
    pods.map(async ({ name }) => {
      const text = await kubectl.exec(`${name}/sentinel`, ['sh', '-c', script], options).catch(() => '')
      return text.split('\n')[0]?.trim() ?? ''
    }),
  )
}

/** Seconds that one of the pods may take to become master. */
const PROMOTION_S = 30

/** The first of the pods that calls itself master, by a loop in one of them; rejects when none does in 30 s. */
export async function awaitMaster(kubectl: Kubectl, pods: readonly Pod[], options: CallOptions): Promise<string> {
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
