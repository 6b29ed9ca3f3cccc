import { describe, expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import type { Event } from '../history.ts'
import { type FenceHistoryOptions, fencesRiseInTime } from './fence-history.ts'
import { twoPrimariesEnd } from './two-primaries.ts'
import type { Finding } from './verdict.ts'

const OPTIONS: FenceHistoryOptions = { epochOf: (fence) => fence / 1_000n, slackMs: 0, minGrants: 1, minFaults: 0 }

interface HistorySpec {
  readonly grants?: readonly (readonly [requested: number, granted: number, fence: number, key?: string])[]
  /** Result of a write to each server by time in milliseconds. Servers are probed every millisecond from 0 to 99. */
  readonly servers?: Readonly<Record<string, (ms: number) => Event['type']>>
  readonly faults?: readonly (readonly [ms: number, name: string])[]
}

const always = (): Event['type'] => 'ok'
const until =
  (end: number, then: Event['type'] = 'fail') =>
  (ms: number) =>
    ms < end ? 'ok' : then
const from =
  (start: number, before: Event['type'] = 'fail') =>
  (ms: number): Event['type'] =>
    ms < start ? before : 'ok'

function historyOf({ grants = [], servers = { a: always }, faults = [] }: HistorySpec): readonly Event[] {
  const events: Omit<Event, 'seq'>[] = []
  for (const [index, [requested, granted, fence, key = 'k']] of grants.entries()) {
    const base = { process: 'p', op: `g${index}`, f: 'acquire', key, tWall: 0 } as const
    events.push({ ...base, type: 'invoke', tMono: requested })
    events.push({ ...base, type: 'ok', tMono: granted, fence: `${fence}` })
  }
  for (const [ms, key] of faults) {
    const base = { process: 'nemesis', op: `f${ms}`, f: 'fault', key, tWall: 0, tMono: ms } as const
    events.push({ ...base, type: 'invoke' }, { ...base, type: 'ok', proof: 'seen' })
  }
  for (const [key, takes] of Object.entries(servers)) {
    for (let ms = 0; ms < 100; ms++) {
      const base = { process: 'prober', op: `${key}${ms}`, f: 'probe', key, tWall: 0 } as const
      events.push({ ...base, type: takes(ms), tMono: ms, untilMono: ms + 0.5 })
    }
  }
  const sorted = events.toSorted((a, b) => a.tMono - b.tMono)
  return sorted.map((event, index) => ({ ...event, seq: index + 1 }))
}

const judged = (spec: HistorySpec, options: Partial<FenceHistoryOptions> = {}): Finding =>
  fencesRiseInTime(historyOf(spec), { ...OPTIONS, ...options })

describe('fencesRiseInTime', () => {
  test('is valid when fences rise in the order of requests and responses', () => {
    const grants = [
      [1, 2, 1_001],
      [3, 4, 1_002],
      [5, 6, 2_001],
    ] as const
    const found = judged({ grants })
    expect(found.kind).toBe('valid')
    expect(found.figures).toMatchObject({ grants: 3, epochs: 2, outOfOrder: 0, insideTwoPrimaries: 0 })
  })

  test('two concurrent grants may have their fences in either order', () => {
    const grants = [
      [1, 9, 1_002],
      [2, 5, 1_001],
    ] as const
    expect(judged({ grants }).kind).toBe('valid')
  })

  test('keys are independent', () => {
    const grants = [
      [1, 2, 1_002, 'k'],
      [3, 4, 1_001, 'l'],
    ] as const
    expect(judged({ grants }).kind).toBe('valid')
  })

  test('is violated by a lower fence, and shows both grants and the preceding fault', () => {
    const grants = [
      [1, 2, 2_001],
      [50, 51, 1_002],
    ] as const
    const found = judged({ grants, faults: [[40, 'successor-kill']] })
    expect(found.kind).toBe('violated')
    expect(found.counterExamples[0]?.says).toContain('the last fault before it is successor-kill')
    expect(new Set(found.counterExamples[0]?.events.map(({ op }) => op))).toEqual(new Set(['g0', 'g1', 'f40']))
  })

  test('compares with the highest fence of all earlier grants, not only with the last', () => {
    const grants = [
      [1, 2, 3_001],
      [1, 20, 2_001],
      [30, 31, 2_002],
    ] as const
    expect(judged({ grants }).figures).toMatchObject({ outOfOrder: 1 })
  })

  test('compares fences beyond the exact range of a double', () => {
    const [low, high] = ['9007199254740992', '9007199254740993']
    const grants = historyOf({
      grants: [
        [1, 2, 1],
        [3, 4, 2],
      ],
    }) // prettier-ignore
    const history = grants.map((event) =>
      event.fence === undefined ? event : { ...event, fence: event.op === 'g0' ? high : low },
    )
    expect(fencesRiseInTime(history, OPTIONS).kind).toBe('violated')
  })

  test('is violated by a fence that was granted twice, even to concurrent requests', () => {
    const grants = [
      [1, 9, 1_001],
      [2, 8, 1_001],
    ] as const
    expect(judged({ grants, servers: { a: always, b: always } }).kind).toBe('violated')
  })

  test('an attempt that starts after its invocation counts from its start', () => {
    const history = historyOf({
      grants: [
        [10, 12, 2_001],
        [5, 30, 1_001],
      ],
    }) // prettier-ignore
    expect(fencesRiseInTime(history, OPTIONS).kind).toBe('valid')
    const younger = history.map((event) =>
      event.op === 'g1' && event.type === 'ok' ? { ...event, fromMono: 20 } : event,
    )
    expect(fencesRiseInTime(younger, OPTIONS).kind).toBe('violated')
  })

  describe('while two servers accept writes', () => {
    const fall = (at: number) =>
      [
        [1, 2, 2_001],
        [at, at + 0.2, 1_002],
      ] as const // prettier-ignore
    const servers = { a: until(60), b: from(40) }

    test.for([45, 59])('a lower fence of an earlier epoch is counted separately (%i ms)', (at) => {
      const found = judged({ grants: fall(at), servers })
      expect(found.kind).toBe('valid')
      expect(found.figures).toMatchObject({ insideTwoPrimaries: 1, outOfOrder: 0 })
    })

    test.for([38, 61])('it is a violation before and after that time (%i ms)', (at) => {
      expect(judged({ grants: fall(at), servers }).kind).toBe('violated')
    })

    test('a fence that falls within one epoch is a violation', () => {
      expect(
        judged({
          grants: [
            [1, 2, 1_002],
            [50, 51, 1_001],
          ],
          servers,
        }).kind,
      ).toBe('violated') // prettier-ignore
    })

    test('a server that does not respond accepts no writes', () => {
      const stopped = { a: (ms: number) => (ms < 20 || ms > 70 ? 'ok' : 'info'), b: from(40) } as const
      expect(judged({ grants: fall(50), servers: stopped }).kind).toBe('violated')
      expect(judged({ grants: fall(80), servers: stopped }).kind).toBe('valid')
    })

    test('a fall soon after an overlap is counted as such', () => {
      expect(judged({ grants: fall(70), servers }).figures).toMatchObject({ outOfOrder: 1, soonAfterTwoPrimaries: 1 })
    })
  })

  test('is inconclusive with too few grants, too few faults, or without probes; a violation still counts', () => {
    const grants = [[1, 2, 1_001]] as const
    expect(judged({ grants }, { minGrants: 2 }).kind).toBe('inconclusive')
    expect(judged({ grants }, { minFaults: 1 }).kind).toBe('inconclusive')
    expect(judged({ grants, servers: {} }).kind).toBe('inconclusive')
    expect(judged({ grants: [...grants, [3, 4, 1_000]] }, { minGrants: 9 }).kind).toBe('violated')
  })

  test('finds the same grants as a comparison of all pairs', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = createRandom(seed)
      const grants = Array.from({ length: 60 }, (_, index) => {
        const requested = random.between(0, 400)
        // each fence is unique
        return [
          requested,
          requested + random.between(1, 60),
          random.between(1, 3) * 1_000 + requested + index / 100,
        ] as const
      }).map(([requested, granted, fence]) => [requested, granted, Math.round(fence * 100)] as const)
      const fallen = grants.filter(([requested, , fence]) =>
        grants.some((g) => g[1] < requested && g[2] > fence),
      ).length
      const epochOf = (fence: bigint): bigint => fence / 100_000n
      const unique = new Set(grants.map(([, , fence]) => fence)).size === grants.length
      if (unique) expect(judged({ grants }, { epochOf }).figures['outOfOrder']).toBe(fallen)
    }
  })

  test('judges 100,000 grants', () => {
    const grants = Array.from({ length: 100_000 }, (_, n) => [n, n + 0.5, n + 1, `k${n % 3}`] as const)
    expect(judged({ grants }).kind).toBe('valid')
  })
})

describe('twoPrimariesEnd', () => {
  const ends = (servers: HistorySpec['servers'], maxMs: number): Finding =>
    twoPrimariesEnd(historyOf({ ...(servers && { servers }) }), { slackMs: 0, maxMs })

  test('measures how long two servers accepted writes', () => {
    const found = ends({ a: until(60), b: from(40) }, 20)
    expect(found.kind).toBe('valid')
    expect(found.figures).toMatchObject({ overlaps: 1, longestMs: 19 })
  })

  test('is violated beyond the bound, and names the servers', () => {
    const found = ends({ a: until(60), b: from(40) }, 10)
    expect(found.kind).toBe('violated')
    expect(found.counterExamples[0]?.says).toContain('a and b both accepted writes for 19 ms')
  })

  test('finds no overlap when one follows the other', () => {
    expect(ends({ a: until(40), b: from(50) }, 10).figures).toMatchObject({ overlaps: 0 })
  })

  test('measures each pair of servers', () => {
    const found = ends({ a: until(30), b: (ms) => (ms >= 20 && ms < 60 ? 'ok' : 'fail'), c: from(50) }, 15)
    expect(found.kind).toBe('valid')
    expect(found.figures).toMatchObject({ overlaps: 2 })
  })

  test('is inconclusive without an accepted probe', () => {
    expect(ends({ a: () => 'fail' }, 10).kind).toBe('inconclusive')
    expect(ends({}, 10).kind).toBe('inconclusive')
  })
})
