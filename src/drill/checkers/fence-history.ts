/**
 * Judges the promise about fences by the grants alone: a grant requested after the response to another grant of its key
 * has a greater fence. While two servers both accept writes, grants of different epochs may come in any order, and are
 * counted separately. Grants of one epoch, and equal fences, are always violations.
 *
 * Each grant is compared with the highest fence received before it was requested, in one pass over the grants of a key
 * in the order of their requests: O(n log n).
 */
import type { Event } from '../history.ts'
import { eventsOf, type Operation, operationsOf } from './operations.ts'
import { mergedSpans, overlapsOfPrimaries, type Span } from './two-primaries.ts'
import { type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

/** Parameters of `fencesRiseInTime`. */
export interface FenceHistoryOptions {
  /** Returns the epoch of a fence. */
  readonly epochOf: (fence: bigint) => bigint
  /** Milliseconds by which a period with two primaries is extended beyond the probes that show it. */
  readonly slackMs: number
  /** With fewer grants the result is inconclusive. */
  readonly minGrants: number
  /** With fewer proven faults the result is inconclusive. */
  readonly minFaults: number
  /** False if the servers are not probed, because no two of them can accept writes. Default: true. */
  readonly isProbed?: boolean
}

interface Grant {
  readonly operation: Operation
  readonly fence: bigint
  readonly epoch: bigint
  /** Start of the span within which the server granted the lock, in milliseconds. */
  readonly requestedMs: number
  readonly grantedMs: number
}

/** Two grants of a key where the later one does not have a greater fence. */
interface Fall {
  readonly earlier: Grant
  readonly later: Grant
  readonly kind: 'order' | 'epoch' | 'twice'
}

const MAX_EXAMPLES = 20
/** Time after an overlap within which a fall is counted as following it, in milliseconds. For diagnosis only. */
const SOON_MS = 2_000

/** Violated when a fence falls outside the periods with two primaries, falls within one epoch, or is granted twice. */
export function fencesRiseInTime(history: readonly Event[], options: FenceHistoryOptions): Finding {
  const grants = grantsOf(history, options.epochOf)
  const spans = mergedSpans(overlapsOfPrimaries(history, options.slackMs))
  const faults = operationsOf(history, 'fault').filter(({ outcome }) => outcome === 'ok')
  const byKey = Map.groupBy(grants, ({ operation }) => operation.invoke.key)
  const falls = [...byKey.values()].flatMap((ofKey) => [...twice(ofKey), ...fallsOf(ofKey)])
  const [inside, outside] = partition(falls, ({ kind, later }) => kind === 'order' && overlapsAny(spans, later))
  const figures = {
    grants: grants.length,
    epochs: new Set(grants.map(({ epoch }) => epoch)).size,
    faults: faults.length,
    outOfOrder: outside.length,
    soonAfterTwoPrimaries: outside.filter(({ later }) =>
      overlapsAny(spans, { ...later, requestedMs: later.requestedMs - SOON_MS }),
    ).length,
    insideTwoPrimaries: inside.length,
  }
  if (outside.length > 0) {
    return findingOf(
      outside.slice(0, MAX_EXAMPLES).map((fall) => exampleOf(fall, operationsOf(history, 'fault'))),
      figures,
    )
  }
  const why = whyInconclusive(history, grants.length, faults.length, options)
  return why === undefined ? findingOf([], figures) : inconclusive(why, figures)
}

function whyInconclusive(
  history: readonly Event[],
  grants: number,
  faults: number,
  { minGrants, minFaults, isProbed = true }: FenceHistoryOptions,
): string | undefined {
  if (grants < minGrants) return `only ${grants} grants, at least ${minGrants} are needed`
  if (faults < minFaults)
    return `only ${faults} faults are proven to have taken effect, at least ${minFaults} are needed`
  if (isProbed && !history.some(({ f, type }) => f === 'probe' && type === 'ok'))
    return 'no server accepted a write of the prober'
  return undefined
}

function grantsOf(history: readonly Event[], epochOf: FenceHistoryOptions['epochOf']): readonly Grant[] {
  return operationsOf(history, 'acquire').flatMap((operation): readonly Grant[] => {
    const { invoke, completion, outcome } = operation
    if (outcome !== 'ok' || completion?.fence === undefined) return []
    const fence = BigInt(completion.fence)
    const requestedMs = completion.fromMono ?? invoke.tMono
    return [{ operation, fence, epoch: epochOf(fence), requestedMs, grantedMs: completion.tMono }]
  })
}

function higher(a: Grant | undefined, b: Grant): Grant {
  return a === undefined || b.fence > a.fence ? b : a
}

/** Returns the grants of one key that are not greater than the highest fence received before they were requested. */
function fallsOf(grants: readonly Grant[]): readonly Fall[] {
  const byGrant = grants.toSorted((a, b) => a.grantedMs - b.grantedMs)
  const ofEpoch = new Map<bigint, Grant>()
  let highest: Grant | undefined
  let next = 0
  const falls: Fall[] = []
  for (const later of grants.toSorted((a, b) => a.requestedMs - b.requestedMs)) {
    for (let done = byGrant[next]; done !== undefined && done.grantedMs < later.requestedMs; done = byGrant[++next]) {
      highest = higher(highest, done)
      ofEpoch.set(done.epoch, higher(ofEpoch.get(done.epoch), done))
    }
    const same = ofEpoch.get(later.epoch)
    // `twice` finds equal fences
    if (same !== undefined && same.fence > later.fence) falls.push({ earlier: same, later, kind: 'epoch' })
    else if (highest !== undefined && highest.fence > later.fence)
      falls.push({ earlier: highest, later, kind: 'order' })
  }
  return falls
}

function twice(grants: readonly Grant[]): readonly Fall[] {
  const seen = new Map<bigint, Grant>()
  return grants.flatMap((later): readonly Fall[] => {
    const earlier = seen.get(later.fence)
    seen.set(later.fence, later)
    return earlier === undefined ? [] : [{ earlier, later, kind: 'twice' }]
  })
}

/** Returns true if the grant may have been made within one of the spans. The spans are in order. */
function overlapsAny(
  spans: readonly Span[],
  { requestedMs, grantedMs }: Pick<Grant, 'requestedMs' | 'grantedMs'>,
): boolean {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((spans[middle]?.until ?? 0) < requestedMs) low = middle + 1
    else high = middle
  }
  const span = spans[low]
  return span !== undefined && span.from <= grantedMs
}

function partition<T>(all: readonly T[], fits: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  const { in: fitting = [], out = [] } = Object.groupBy(all, (one) => (fits(one) ? 'in' : 'out'))
  return [fitting, out]
}

const SAYS: Readonly<Record<Fall['kind'], string>> = {
  order: 'is not greater than one received before it was requested',
  epoch: 'is not greater than one of its own epoch received before it was requested',
  twice: 'was granted twice',
}

const nameOf = ({ fence, epoch }: Grant): string => `${fence} (epoch ${epoch})`

function exampleOf({ earlier, later, kind }: Fall, faults: readonly Operation[]): CounterExample {
  const fault = faults.findLast(({ invoke }) => invoke.tMono <= later.grantedMs)
  const after = fault === undefined ? 'before any fault' : `the last fault before it is ${fault.invoke.key}`
  return {
    says: `lock ${later.operation.invoke.key}: fence ${nameOf(later)} ${SAYS[kind]}: ${nameOf(earlier)}; ${after}`,
    events: eventsOf([...(fault === undefined ? [] : [fault]), earlier.operation, later.operation]),
  }
}
