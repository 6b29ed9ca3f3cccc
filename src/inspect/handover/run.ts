/** Asks the operator for a hand-over, and waits for its end. */
import { randomBytes } from 'node:crypto'
import { IngotError } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import type { Clock } from '../../std/clock.ts'
import type { Facts } from '../facts.ts'
import { TOPOLOGIES } from '../kinds.ts'
import {
  annotationOf,
  HANDOVER_ANNOTATION,
  type HandoverReport,
  type HandoverRequest,
  handoverState,
  newFailover,
  requireHandover,
} from './request.ts'

export interface HandoverOptions {
  readonly api: KubeApi
  readonly clock: Clock
  /** Longest wait, in milliseconds. */
  readonly timeoutMs: number
  readonly pod: string | undefined
  /** Called once, after the request was written. */
  readonly onRequested: (request: HandoverRequest, topology: string) => void
  readonly signal: AbortSignal
}

const EVERY_MS = 500
/** The operator reports the failover when it sees the new primary, which is after the end of the hand-over. */
const FAILOVER_REPORTED_MS = 5_000

/** Rejects as `requireHandover`, with the errors of the API for the request itself, and with the signal's reason. */
export async function requestHandover(facts: Facts, options: HandoverOptions): Promise<HandoverReport> {
  const { api, clock, signal, pod, timeoutMs } = options
  const before = requireHandover(facts, pod)
  const request = { id: randomBytes(4).toString('hex'), pod }
  const { namespace, release } = facts
  const { name } = before.metadata
  const annotations = { [HANDOVER_ANNOTATION]: annotationOf(request) }
  await api.patch(TOPOLOGIES, { namespace, name }, { metadata: { annotations } }, signal)
  options.onRequested(request, name)
  const base = { kind: 'IngotHandover', version: 1, namespace, release, topology: name, request: request.id } as const
  const read = (): Promise<KubeObject | undefined> => readTopology(options, namespace, name)

  const endMs = clock.monotonicMs() + timeoutMs
  for (;;) {
    const state = handoverState(await read(), request)
    if (state.kind === 'ended') {
      const failover = state.outcome === 'Done' ? await reportedFailover(read, before, options) : undefined
      return { ...base, outcome: state.outcome, message: state.message, ...failover }
    }
    if (clock.monotonicMs() >= endMs) {
      const message = `the operator has not ended it within ${timeoutMs / 1_000} s (${state.phase}); it may still do so`
      return { ...base, outcome: 'TimedOut', message }
    }
    await clock.sleep(EVERY_MS, signal)
  }
}

/** A read that fails is repeated by the caller. Rejects when the RedisTopology was deleted. */
async function readTopology(
  { api, signal }: HandoverOptions,
  namespace: string,
  name: string,
): Promise<KubeObject | undefined> {
  const topology = await api.get(TOPOLOGIES, { namespace, name }, signal).catch((failure: unknown) => {
    signal.throwIfAborted()
    if (failure instanceof IngotError && failure.retryable) return 'again' as const
    throw failure
  })
  if (topology === 'again') return undefined
  if (topology !== undefined) return topology
  throw new IngotError('TOPOLOGY_NOT_FOUND', `RedisTopology ${name} was deleted during the hand-over`)
}

async function reportedFailover(
  read: () => Promise<KubeObject | undefined>,
  before: KubeObject,
  { clock, signal }: HandoverOptions,
): Promise<ReturnType<typeof newFailover>> {
  const endMs = clock.monotonicMs() + FAILOVER_REPORTED_MS
  for (;;) {
    const topology = await read()
    const failover = topology === undefined ? undefined : newFailover(topology, before)
    if (failover !== undefined || clock.monotonicMs() >= endMs) return failover
    await clock.sleep(EVERY_MS, signal)
  }
}
