/** Asks every Redis server and Sentinel, in its own pod, with the words of the chart's scripts. */
import type { Kubectl } from './kubectl.ts'
import type { Pod } from './pods.ts'
import type { CallOptions } from './program.ts'
import { parseRole, ROLE_COMMANDS, type Role } from './roles.ts'

/** Where the chart mounts its scripts; `me`, `redis_at` and `sentinel_at` are theirs. */
const LIBRARY = '/etc/ingot/redis/lib.sh'
const MASTER = 'ingot'

/** Commands of the scripts' shell in a Redis pod. */
export function redisShell(kubectl: Kubectl, pod: string, script: string, options: CallOptions): Promise<string> {
  return kubectl.exec(`${pod}/redis`, ['sh', '-c', `. ${LIBRARY}; ${script}`], options)
}

/** One that does not answer is left out. */
export async function askRoles(kubectl: Kubectl, pods: readonly Pod[], options: CallOptions): Promise<readonly Role[]> {
  const script = ROLE_COMMANDS.map((command) => `me ${command}`).join('; ')
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
