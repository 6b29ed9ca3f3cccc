/** Samples the roles of all Redis servers once a second, for the time line and for the check of two primaries. */
import { ofComponent } from '../../kube/pods.ts'
import { primariesOf, type ServerRole } from '../../redis/topology/roles.ts'
import { systemClock } from '../../std/clock.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'

/** The roles at one moment. */
export interface RoleSample {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly primaries: readonly string[]
  /** Primaries that take writes: those with a replica, because the chart requires one for a write. */
  readonly writable: readonly string[]
  /** Servers that became primary since the sample before, and were receiving the data of their primary then. */
  readonly unsynced: readonly string[]
  readonly servers: number
}

export interface Sampler extends AsyncDisposable {
  readonly samples: readonly RoleSample[]
  /** Ends the sampling. Resolves when the last sample is complete. */
  stop(): Promise<void>
}

const EVERY_MS = 1_000
const CALL_MS = 2_500

/** Returns a running sampler. A sample that cannot be taken is left out. */
export function startSampler({ workloads, redis }: DrillContext, signal: AbortSignal): Sampler {
  const ending = new AbortController()
  const inner = AbortSignal.any([signal, ending.signal])
  const samples: RoleSample[] = []
  let before: readonly ServerRole[] = []

  async function sample(): Promise<void> {
    const pods = ofComponent(await workloads.pods(inner), 'redis').filter((pod) => pod.ip !== '')
    const atMs = systemClock.wallMs()
    const roles = await redis.roles(pods, { signal: inner, timeoutMs: CALL_MS })
    samples.push(sampleOf(roles, before, atMs))
    before = roles
  }

  async function run(): Promise<void> {
    while (!inner.aborted) {
      const startMs = systemClock.monotonicMs()
      await sample().catch(() => undefined)
      const restMs = Math.max(0, EVERY_MS - (systemClock.monotonicMs() - startMs))
      await systemClock.sleep(restMs, inner).catch(() => undefined)
    }
  }
  const running = run()
  const stop = async (): Promise<void> => {
    ending.abort(new Error('the sampling is over'))
    await running
  }
  return { samples, stop, [Symbol.asyncDispose]: stop }
}

/** Returns the sample of the roles, given those of the sample before. */
export function sampleOf(roles: readonly ServerRole[], before: readonly ServerRole[], atMs: number): RoleSample {
  const primaries = primariesOf(roles)
  const unsynced = primaries.filter(({ pod }) =>
    before.some((one) => one.pod === pod && one.role === 'replica' && one.syncing === true),
  )
  return {
    atMs,
    primaries: primaries.map(({ pod }) => pod).toSorted(),
    writable: primaries
      .filter(({ replicas }) => replicas > 0)
      .map(({ pod }) => pod)
      .toSorted(),
    unsynced: unsynced.map(({ pod }) => pod),
    servers: roles.length,
  }
}

/** Returns the samples at which the primaries changed, beginning with the first one. */
export function roleChanges(samples: readonly RoleSample[]): readonly Pick<RoleSample, 'atMs' | 'primaries'>[] {
  return samples
    .filter(({ primaries }, index) => index === 0 || primaries.join() !== samples[index - 1]?.primaries.join())
    .map(({ atMs, primaries }) => ({ atMs, primaries }))
}
