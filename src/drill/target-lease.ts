/** Holds a release for one drill from a shell, by the Lease that the operator uses too. */
import { IngotError } from '../errors/error.ts'
import { isKubeError, type KubeApi } from '../kube/client/api.ts'
import type { Location } from '../kube/client/resource.ts'
import { microTimeOf } from '../kube/runtime/conditions.ts'
import { LEASES, type Lease } from '../kube/runtime/leadership-term.ts'
import type { Clock } from '../std/clock.ts'
import { holderOf, leaseNameOf, namedHolder, TARGET_LEASE_S } from './spec/target-lease.ts'

export interface TargetOptions {
  readonly api: KubeApi
  readonly clock: Clock
  readonly namespace: string
  readonly release: string
  /** Name of the holder. */
  readonly holder: string
  /**
   * Resolves with true for the UID of a FailoverDrill that has not finished. Such a drill keeps its target even if its Lease
   * has expired: its faults may still be active.
   */
  readonly isRunning: (uid: string) => Promise<boolean>
}

const RENEW_MS = 15_000
const CALL_MS = 10_000

/** Resolves when the target is held. Rejects with DRILL_REFUSED if another drill holds it. */
export async function holdTarget(options: TargetOptions, signal: AbortSignal): Promise<AsyncDisposable> {
  const { api, clock, namespace, release, holder } = options
  const at: Location = { namespace, name: leaseNameOf(release) }
  const spec = () => ({
    holderIdentity: holder,
    leaseDurationSeconds: TARGET_LEASE_S,
    renewTime: microTimeOf(clock.wallMs()),
  })
  const found: Lease | undefined = await api.get(LEASES, at, signal)
  const other = found === undefined ? undefined : await activeHolder(found, options)
  if (other !== undefined && other !== holder) throw busy(release, other)
  const metadata = { namespace, name: at.name ?? '' }
  const taken =
    found === undefined
      ? api.create(LEASES, { metadata, spec: spec() }, signal)
      : api.replace(LEASES, { ...found, spec: spec() }, signal)
  await taken.catch((failure: unknown) => {
    throw isKubeError(failure, 'KUBE_CONFLICT') ? busy(release, 'another drill') : failure
  })
  const ending = new AbortController()
  const renewing = renew(
    async () => void (await api.patch(LEASES, at, { spec: spec() }, AbortSignal.timeout(CALL_MS))),
    clock,
    ending.signal,
  )
  return {
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the drill is over'))
      await renewing
      await api.patch(LEASES, at, { spec: { holderIdentity: '' } }, AbortSignal.timeout(CALL_MS)).catch(() => undefined)
    },
  }
}

async function activeHolder(lease: Lease, { clock, isRunning }: TargetOptions): Promise<string | undefined> {
  const named = namedHolder(lease)
  return named !== undefined && (await isRunning(named)) ? named : holderOf(lease, clock.wallMs())
}

function busy(release: string, holder: string): IngotError {
  return new IngotError('DRILL_REFUSED', `release ${release} is the target of another drill: ${holder}`)
}

/** A renewal that fails is tried again at the next turn. */
async function renew(once: () => Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(RENEW_MS, signal).catch(() => undefined)
    if (!signal.aborted) await once().catch(() => undefined)
  }
}
