/** What faults are done to: the installation, how it is looked at, and when it is whole again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Docker } from './docker.ts'
import type { Installation } from './installation.ts'
import type { Kubectl } from './kubectl.ts'
import type { Setup } from './plan.ts'
import { ofComponent, type Pod, readPods, unready, type Wanted } from './pods.ts'
import { askRoles, askSentinels } from './redis-view.ts'
import { type Role, unwell } from './roles.ts'
import { redisPods } from './values.ts'

export interface Stage {
  readonly setup: Setup
  readonly kubectl: Kubectl
  readonly docker: Docker
  readonly installation: Installation
  readonly say: (line: string) => void
}

/** The installation at one moment. */
export interface View {
  readonly pods: readonly Pod[]
  readonly roles: readonly Role[]
  /** What is not as it must be. Empty: nothing. */
  readonly problems: readonly string[]
}

const LOOK_MS = 20_000
/** Of one question to one server: a frozen one never answers. */
const ASK_MS = 6_000
const BETWEEN_MS = 1_500
/** Longest time until all is whole again after a fault, milliseconds. */
export const WHOLE_MS = 240_000

export async function look(stage: Stage, signal: AbortSignal): Promise<View> {
  const { kubectl, setup } = stage
  const options = { signal, timeoutMs: LOOK_MS }
  const pods = await readPods(kubectl, options)
  const present = ofComponent(pods, 'redis').filter(({ leaving, ready }) => ready && !leaving)
  const sentinels = ofComponent(pods, 'sentinel').filter(({ leaving, ready }) => ready && !leaving)
  const [roles, named] = await Promise.all([
    askRoles(kubectl, present, { signal, timeoutMs: ASK_MS }),
    askSentinels(kubectl, sentinels, { signal, timeoutMs: ASK_MS }),
  ])
  const shape = { mode: setup.mode, pods: redisPods(setup).redis }
  return { pods, roles, problems: [...unready(pods, wantedOf(stage)), ...unwell(shape, roles, named)] }
}

function wantedOf({ installation }: Stage): Wanted {
  return installation.wanted()
}

/** What an attempt came to: done, or what is still missing. */
export type Attempt<T> = { readonly value: T } | { readonly missing: string }

/** Tries until it is done. Rejects after `withinMs` with what was still missing. */
export async function until<T>(
  attempt: (signal: AbortSignal) => Promise<Attempt<T>>,
  withinMs: number,
  signal: AbortSignal,
): Promise<T> {
  const endMs = performance.now() + withinMs
  for (;;) {
    signal.throwIfAborted()
    const result = await attempt(signal).catch((failure: unknown) => ({ missing: String(failure) }))
    if ('value' in result) return result.value
    if (performance.now() > endMs) throw new Error(`not within ${Math.round(withinMs / 1_000)} s: ${result.missing}`)
    await sleep(BETWEEN_MS, undefined, { signal })
  }
}

/** Resolves when every pod is ready and Redis is whole. */
export function whole(stage: Stage, signal: AbortSignal, withinMs = WHOLE_MS): Promise<View> {
  return until(
    async (inner) => {
      const view = await look(stage, inner)
      return view.problems.length === 0 ? { value: view } : { missing: view.problems.join('; ') }
    },
    withinMs,
    signal,
  )
}
