/**
 * The promise about fences, judged by the grants alone: a grant that was asked for after another one of its key had
 * been answered has a greater fence. While two servers both take writes, grants of different epochs may come in any order;
 * those are counted apart. Grants of one epoch, and equal fences, have no such excuse.
 *
 * Each grant is compared with the highest fence that was answered before it was asked for, in one pass over the grants of
 * a key in the order of their asking: O(n log n).
 */
import type { Event } from '../history.ts'
import { eventsOf, type Operation, operationsOf } from './operations.ts'
import { mergedSpans, overlapsOfPrimaries, type Span } from './two-primaries.ts'
import { type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

export interface FenceHistoryOptions {
  /** Returns the epoch of a fence. */
  readonly epochOf: (fence: bigint) => bigint
  /** How far times with two primaries reach beyond the probes that show them, in milliseconds. */
  readonly slackMs: number
  /** With fewer grants the history says nothing. */
  readonly minGrants: number
  /** With fewer faults that are known to have happened the history says nothing. */
  readonly minFaults: number
}

interface Grant {
  readonly operation: Operation
  readonly fence: bigint
  readonly epoch: bigint
  /** The server granted it within this span. */
  readonly asked: number
  readonly answered: number
}

/** Two grants of a key of which the later one does not have the greater fence. */
interface Fall {
  readonly earlier: Grant
  readonly later: Grant
  readonly kind: 'order' | 'epoch' | 'twice'
}

const MAX_EXAMPLES = 20
/** How long after an overlap a fall is counted as one that follows it, in milliseconds. For diagnosis alone. */
const SOON_MS = 2_000

/** Violated when fences fall outside the times with two primaries, within one epoch, or come twice. */
export function fencesRiseInTime(history: readonly Event[], options: FenceHistoryOptions): Finding {
  const grants = grantsOf(history, options.epochOf)
  const spans = mergedSpans(overlapsOfPrimaries(history, options.slackMs))
  const faults = operationsOf(history, 'fault').filter(({ outcome }) => outcome === 'ok')
  const byKey = Map.groupBy(grants, ({ operation }) => operation.invoke.key)
  const falls = [...byKey.values()].flatMap((ofKey) => [...twice(ofKey), ...fallsOf(ofKey)])
  const [inside, outside] = partition(falls, ({ kind, later }) => kind === 'order' && meets(spans, later))
  const figures = {
    grants: grants.length,
    epochs: new Set(grants.map(({ epoch }) => epoch)).size,
    faults: faults.length,
    outOfOrder: outside.length,
    soonAfterTwoPrimaries: outside.filter(({ later }) => meets(spans, { ...later, asked: later.asked - SOON_MS }))
      .length,
    insideTwoPrimaries: inside.length,
  }
  if (outside.length > 0) {
    return findingOf(
      outside.slice(0, MAX_EXAMPLES).map((fall) => exampleOf(fall, operationsOf(history, 'fault'))),
      figures,
    )
  }
  const why = whyNothing(history, grants.length, faults.length, options)
  return why === undefined ? findingOf([], figures) : inconclusive(why, figures)
}

function whyNothing(
  history: readonly Event[],
  grants: number,
  faults: number,
  { minGrants, minFaults }: FenceHistoryOptions,
): string | undefined {
  if (grants < minGrants) return `only ${grants} grants, at least ${minGrants} are needed`
  if (faults < minFaults) return `only ${faults} faults are known to have happened, at least ${minFaults} are needed`
  if (!history.some(({ f, type }) => f === 'probe' && type === 'ok')) return 'no server took a write of the prober'
  return undefined
}

function grantsOf(history: readonly Event[], epochOf: FenceHistoryOptions['epochOf']): readonly Grant[] {
  return operationsOf(history, 'acquire').flatMap((operation): readonly Grant[] => {
    const { invoke, completion, outcome } = operation
    if (outcome !== 'ok' || completion?.fence === undefined) return []
    const fence = BigInt(completion.fence)
    const asked = completion.fromMono ?? invoke.tMono
    return [{ operation, fence, epoch: epochOf(fence), asked, answered: completion.tMono }]
  })
}

function higher(a: Grant | undefined, b: Grant): Grant {
  return a === undefined || b.fence > a.fence ? b : a
}

/** Grants of one key that are not greater than the highest one answered before they were asked for. */
function fallsOf(grants: readonly Grant[]): readonly Fall[] {
  const byAnswer = grants.toSorted((a, b) => a.answered - b.answered)
  const ofEpoch = new Map<bigint, Grant>()
  let highest: Grant | undefined
  let next = 0
  const falls: Fall[] = []
  for (const later of grants.toSorted((a, b) => a.asked - b.asked)) {
    for (let done = byAnswer[next]; done !== undefined && done.answered < later.asked; done = byAnswer[++next]) {
      highest = higher(highest, done)
      ofEpoch.set(done.epoch, higher(ofEpoch.get(done.epoch), done))
    }
    const same = ofEpoch.get(later.epoch)
    // equal fences are found by `twice`
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

/** Whether the grant may have been made within one of the spans, which are in order. */
function meets(spans: readonly Span[], { asked, answered }: Pick<Grant, 'asked' | 'answered'>): boolean {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((spans[middle]?.until ?? 0) < asked) low = middle + 1
    else high = middle
  }
  const span = spans[low]
  return span !== undefined && span.from <= answered
}

function partition<T>(all: readonly T[], fits: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  const { in: fitting = [], out = [] } = Object.groupBy(all, (one) => (fits(one) ? 'in' : 'out'))
  return [fitting, out]
}

const SAYS: Readonly<Record<Fall['kind'], string>> = {
  order: 'is not greater than one that was answered before it was asked for',
  epoch: 'is not greater than one of its own epoch that was answered before it was asked for',
  twice: 'was given twice',
}

const nameOf = ({ fence, epoch }: Grant): string => `${fence} (epoch ${epoch})`

function exampleOf({ earlier, later, kind }: Fall, faults: readonly Operation[]): CounterExample {
  const fault = faults.findLast(({ invoke }) => invoke.tMono <= later.answered)
  const after = fault === undefined ? 'before any fault' : `the last fault before it is ${fault.invoke.key}`
  return {
    says: `lock ${later.operation.invoke.key}: fence ${nameOf(later)} ${SAYS[kind]}: ${nameOf(earlier)}; ${after}`,
    events: eventsOf([...(fault === undefined ? [] : [fault]), earlier.operation, later.operation]),
  }
}
