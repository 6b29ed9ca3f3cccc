/** A drill as the plugin shows it, read from a FailoverDrill. Fields that are absent or of another type are left out. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { at, listAt, numberAt, textAt, timeAt } from '../json.ts'

export interface DrillView {
  readonly name: string
  readonly namespace: string
  readonly release: string
  /** Name of the scenario, or `own faults`. */
  readonly scenario: string
  /** Empty before the operator has seen the drill. */
  readonly phase: string
  /** Empty before the end. */
  readonly verdict: string
  readonly reason: string
  readonly message: string
  readonly createdMs: number | undefined
  readonly finishedMs: number | undefined
  readonly acknowledged: number | undefined
  readonly lost: number | undefined
  readonly secondsWithoutWrite: number | undefined
  readonly faults: readonly FaultView[]
  /** `status.report.name`, or empty. */
  readonly report: string
}

export interface FaultView {
  readonly name: string
  readonly action: string
  readonly state: string
  readonly proof: string
}

export function drillView(object: KubeObject): DrillView {
  const { metadata } = object
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    release: textAt(object, 'spec', 'target', 'release'),
    scenario: textAt(object, 'spec', 'scenario') || 'own faults',
    phase: textAt(object, 'status', 'phase'),
    verdict: textAt(object, 'status', 'verdict'),
    reason: textAt(object, 'status', 'reason'),
    message: textAt(object, 'status', 'message'),
    createdMs: timeAt(metadata, 'creationTimestamp'),
    finishedMs: timeAt(object, 'status', 'finishedAt'),
    acknowledged: numberAt(object, 'status', 'summary', 'acknowledged'),
    lost: numberAt(object, 'status', 'summary', 'lost'),
    secondsWithoutWrite: numberAt(object, 'status', 'summary', 'secondsWithoutWrite'),
    faults: listAt(object, 'status', 'faults').map(faultView),
    report: textAt(object, 'status', 'report', 'name'),
  }
}

function faultView(fault: unknown): FaultView {
  const field = (name: string): string => textAt(fault, name)
  return { name: field('name'), action: field('action'), state: field('state'), proof: field('proof') }
}

/** Returns true when the verdict is final. */
export function isFinished({ phase, verdict }: DrillView): boolean {
  return phase === 'Finished' && verdict !== ''
}

/** Returns the drills, the newest first. */
export function newestFirst(drills: readonly DrillView[]): readonly DrillView[] {
  return drills.toSorted((a, b) => (b.createdMs ?? 0) - (a.createdMs ?? 0) || (a.name < b.name ? -1 : 1))
}

/** Returns where a report is stored, by the spec of its drill. */
export function storeOf(object: KubeObject): StoreView {
  const store = textAt(object, 'spec', 'report', 'store')
  if (store === 'Claim') return { kind: 'Claim', claim: textAt(object, 'spec', 'report', 'claimName') }
  if (store !== 'Bucket') return { kind: 'ConfigMap' }
  const bucket = at(object, 'spec', 'report', 'bucket')
  const region = textAt(bucket, 'region')
  return {
    kind: 'Bucket',
    url: textAt(bucket, 'url'),
    region: region === '' ? undefined : region,
    secret: textAt(bucket, 'secretName'),
  }
}

export type StoreView =
  | { readonly kind: 'ConfigMap' }
  | { readonly kind: 'Claim'; readonly claim: string }
  | { readonly kind: 'Bucket'; readonly url: string; readonly region: string | undefined; readonly secret: string }
