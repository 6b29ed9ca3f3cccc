/**
 * Wrong planners, each with one rule of GUARANTEES.md broken. A check of the rules must go red for each of them, and for
 * random views it must be green for the right one.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Action, type Plan, planOf } from './plan.ts'
import type { SentinelState, ServerState, TopologyView } from './view.ts'

const FLAGS = [['master'], ['master'], ['master'], ['master', 's_down'], ['master', 'failover_in_progress']]
const ordinal = fc.nat({ max: 2 })
/** Mostly the first, so that many views are nearly right. */
const mostlyFirst = fc.constantFrom(0, 0, 0, 0, 1, 2)

const server = fc
  .record({
    pod: ordinal,
    of: mostlyFirst,
    isOdd: fc.constantFrom(false, false, false, true),
    keys: fc.constantFrom(0, 0, 9),
    synced: fc.boolean(),
  })
  .map(({ pod, of, isOdd, keys, synced }): ServerState => {
    const base = { pod: `r-${pod}`, replicas: 0, offset: 1, keys, machine: 'm', host: `h${pod}`, port: 6_379 }
    if ((pod === 0) !== isOdd) return { ...base, role: 'primary', synced: true }
    return { ...base, role: 'replica', synced, followsPod: `r-${of}` }
  })

const sentinel = fc
  .record({
    pod: ordinal,
    names: mostlyFirst,
    flags: fc.constantFrom(...FLAGS),
    departed: fc.constantFrom(0, 0, 1),
    peers: fc.constantFrom(2, 2, 1),
  })
  .map(({ pod, names, flags, departed, peers: seen }): SentinelState => {
    const peers = { knows: 3, peers: seen, replicas: 2, departed, departing: 0, entries: [] }
    return {
      pod: `s-${pod}`,
      primaryPod: `r-${names}`,
      host: `h${names}`,
      port: 6_379,
      flags,
      hasQuorum: true,
      ...peers,
    }
  })

const unique = <T extends { readonly pod: string }>(of: fc.Arbitrary<T>) =>
  fc.uniqueArray(of, { minLength: 1, maxLength: 3, selector: ({ pod }) => pod })

const view = fc.record({ servers: unique(server), sentinels: unique(sentinel), size: fc.constantFrom(3, 3, 6) }).map(
  ({ servers, sentinels, size }): TopologyView => ({
    mode: 'sentinel',
    size,
    primaries: 3,
    statefulSet: 'r',
    sentinelCount: 3,
    servers,
    sentinels,
  }),
)

/** Returns the rules that the plan breaks. */
function broken({ servers, sentinels, size, sentinelCount }: TopologyView, { actions }: Plan): readonly string[] {
  const stateOf = (pod: string): ServerState | undefined => servers.find((one) => one.pod === pod)
  const changes = actions.flatMap((action) => (action.kind === 'Demote' || action.kind === 'Repoint' ? [action] : []))
  const resets = actions.filter(({ kind }) => kind === 'ResetSentinel')
  const rules: readonly (readonly [string, boolean])[] = [
    ['majority of servers', changes.length > 0 && servers.length <= size / 2],
    ['no failover', changes.length > 0 && sentinels.some(({ flags }) => flags.includes('failover_in_progress'))],
    [
      'majority of Sentinels',
      changes.some(({ primary }) => {
        const naming = sentinels.filter(({ primaryPod, flags }) => primaryPod === primary && flags.length === 1)
        return naming.length <= sentinelCount / 2
      }),
    ],
    ['a primary that responds', changes.some(({ primary }) => stateOf(primary)?.role !== 'primary')],
    [
      'keys are kept',
      changes.some(({ pod, primary }) => (stateOf(pod)?.keys ?? 0) > 0 && stateOf(primary)?.keys === 0),
    ],
    ['one Sentinel at a time', resets.length > 1],
    ['all Sentinels respond', resets.length > 0 && sentinels.length < sentinelCount],
  ]
  return rules.flatMap(([rule, isBroken]) => (isBroken ? [rule] : []))
}

const asThree = (seen: TopologyView, sentinels: readonly SentinelState[]): TopologyView => ({ ...seen, sentinels })
/** The view as a planner sees it that takes the first Sentinel for all. */
const believeFirst = (seen: TopologyView): TopologyView => {
  const [first] = seen.sentinels
  const copies = [0, 1, 2].flatMap((pod) => (first === undefined ? [] : [{ ...first, pod: `s-${pod}` }]))
  return asThree(seen, copies)
}
const withFlags = (seen: TopologyView, without: string): TopologyView =>
  asThree(
    seen,
    seen.sentinels.map((one) => ({ ...one, flags: one.flags.filter((flag) => flag !== without) })),
  )

type Planner = (seen: TopologyView) => Plan

const MUTANTS: Readonly<Record<string, Planner>> = {
  'majority of servers': (seen) => planOf({ ...seen, size: 1 }),
  'no failover': (seen) => planOf(withFlags(seen, 'failover_in_progress')),
  'majority of Sentinels': (seen) => planOf(believeFirst(seen)),
  'a primary that responds': (seen) => {
    const [first] = seen.sentinels
    const address = { host: '', port: 0 }
    const actions = seen.servers.map(({ pod }): Action => {
      return { kind: 'Repoint', pod, primary: first?.primaryPod ?? '', address }
    })
    return { actions, refusals: [] }
  },
  'keys are kept': (seen) => planOf({ ...seen, servers: seen.servers.map((one) => ({ ...one, keys: 1 })) }),
  'one Sentinel at a time': (seen) => ({
    actions: seen.sentinels.map(({ pod }): Action => ({ kind: 'ResetSentinel', pod })),
    refusals: [],
  }),
  'all Sentinels respond': (seen) => planOf({ ...seen, sentinelCount: seen.sentinels.length }),
}

test('the planner breaks no rule', () => {
  fc.assert(
    fc.property(view, (seen) => {
      expect(broken(seen, planOf(seen))).toEqual([])
    }),
    { numRuns: 5_000 },
  )
})

test.each(Object.entries(MUTANTS))('mutation: %s', (rule, planner) => {
  const found = fc.sample(view, { numRuns: 20_000, seed: 7 }).some((seen) => broken(seen, planner(seen)).includes(rule))
  expect(found).toBe(true)
})
