/** Repairs a topology: carries out the actions that are due, and keeps role labels and Services as they should be. */
import { IngotError, reasonOf } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'
import { isSameJson } from '../../kube/runtime/conditions.ts'
import type { EventEntry } from '../../kube/runtime/event-recorder.ts'
import type { Clock } from '../../std/clock.ts'
import { type Actors, carryOut } from './act.ts'
import { ROLE_LABEL, roleChanges, servicesOf } from './exposure.ts'
import type { TopologyMeasures } from './measures.ts'
import type { Seen } from './observe.ts'
import { type Action, describe, dueActions, type Plan, type Planned } from './plan.ts'
import { PODS, sharedLabels } from './pods.ts'

export interface HealContext {
  /** `namespace/name` of the topology. */
  readonly key: string
  readonly topology: KubeObject
  readonly seen: Seen
  readonly plan: Plan
  readonly actors: Actors
  readonly api: KubeApi
  readonly clock: Clock
  readonly measures: TopologyMeasures
  readonly record: (entry: EventEntry) => Promise<void>
  readonly signal: AbortSignal
}

export interface Healer {
  heal(context: HealContext): Promise<void>
}

/** Kinds of which all due actions are carried out in one poll. Of the others, the state is looked at again after one. */
const TOGETHER: ReadonlySet<Action['kind']> = new Set(['Meet', 'AttachReplica', 'Demote', 'Repoint'])
/** After a refusal by the API server, labels and Services are tried again after so long, in milliseconds. */
const RETRY_MS = 30_000
/** Services are applied again after so long, in milliseconds, because a user may have deleted them. */
const RENEW_MS = 60_000

const SERVICES: Resource = { group: '', version: 'v1', kind: 'Service', plural: 'services', namespaced: true }

/** Returns the healer of one topology. It remembers since when an action is planned. */
export function createHealer(): Healer {
  return new TopologyHealer()
}

class TopologyHealer implements Healer {
  #planned: Planned = new Map()
  #applied: readonly KubeObject[] = []
  #applyAtMs = 0
  #labelAtMs = 0

  async heal(context: HealContext): Promise<void> {
    await this.#act(context)
    await this.#label(context)
    await this.#serve(context)
  }

  async #act({ plan, actors, clock, key, measures, record }: HealContext): Promise<void> {
    const { planned, due } = dueActions(this.#planned, plan.actions, clock.monotonicMs())
    this.#planned = planned
    const [first] = due
    if (first === undefined) return
    const chosen = TOGETHER.has(first.kind) ? due.filter(({ kind }) => kind === first.kind) : [first]
    // the same action waits again: its effect is not visible at once
    this.#planned = new Map()
    for (const action of chosen) {
      const note = describe(action)
      try {
        await carryOut(action, actors)
        measures.acted(key, action.kind, 'done')
        await record({ type: 'Normal', reason: action.kind, action: 'Heal', note })
      } catch (cause) {
        measures.acted(key, action.kind, 'failed')
        actors.authority.assertHeld()
        await record({ type: 'Warning', reason: 'RepairFailed', action: 'Heal', note: `${note}: ${reasonOf(cause)}` })
      }
    }
  }

  async #label({ seen, topology, api, clock, record, signal }: HealContext): Promise<void> {
    if (clock.monotonicMs() < this.#labelAtMs) return
    const { namespace } = topology.metadata
    for (const { pod, role } of roleChanges(seen.view, seen.servers.pods)) {
      try {
        await api.patch(PODS, { namespace, name: pod }, { metadata: { labels: { [ROLE_LABEL]: role } } }, signal)
      } catch (cause) {
        // a pod that is gone has no label, and its DELETE event comes
        if (cause instanceof IngotError && cause.code === 'KUBE_NOT_FOUND') continue
        signal.throwIfAborted()
        this.#labelAtMs = clock.monotonicMs() + RETRY_MS
        const note = `pod ${pod} cannot be labelled ${ROLE_LABEL}=${role}: ${reasonOf(cause)}`
        return record({ type: 'Warning', reason: 'LabelFailed', action: 'Label', note })
      }
    }
  }

  async #serve({ seen, topology, api, clock, record, signal }: HealContext): Promise<void> {
    if (seen.view.mode === 'cluster') return
    const services = servicesOf(topology, seen.servers, sharedLabels(seen.servers.pods))
    const nowMs = clock.monotonicMs()
    if (nowMs < this.#applyAtMs && isSameJson(services, this.#applied)) return
    this.#applied = services
    this.#applyAtMs = nowMs + RENEW_MS
    try {
      for (const service of services) await api.apply(SERVICES, service, signal)
    } catch (cause) {
      signal.throwIfAborted()
      this.#applyAtMs = nowMs + RETRY_MS
      const note = `the Services of the primary and the replicas cannot be applied: ${reasonOf(cause)}`
      await record({ type: 'Warning', reason: 'ServiceFailed', action: 'Serve', note })
    }
  }
}
