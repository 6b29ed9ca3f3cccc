/** Leader election on a server that misbehaves, with faked time, and on a real API server. */
import { describe, expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { systemClock } from '../../std/clock.ts'
import { untilTrue } from '../../std/until.ts'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { shareApiServer } from '../../testing/kube/shared-api-server.ts'
import { createKubeApi, type KubeApi } from '../client/api.ts'
import { createKubeConnection } from '../client/connection.ts'
import type { KubeObject } from '../client/resource.ts'
import { runElection } from './leader-election.ts'
import { type ElectionTimes, LEASES, type LeadershipTerm } from './leadership-term.ts'
import { unmeasuredRuntime } from './measures.ts'
import { withTerm } from './term-api.ts'

const AT = { namespace: 'default', name: 'ingot-operator' }

/** One Lease in memory, which can be made unreachable. */
function createLeaseApi() {
  let lease: KubeObject | undefined
  let version = 0
  let isAway = false
  const stored = (object: KubeObject): KubeObject =>
    (lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } })
  const reach = (): void => {
    if (isAway) throw new IngotError('KUBE_UNREACHABLE', 'away')
  }
  const api: Pick<KubeApi, 'get' | 'create' | 'replace'> = {
    async get() {
      reach()
      return lease
    },
    async create(_, object) {
      reach()
      if (lease !== undefined) throw new IngotError('KUBE_CONFLICT', 'exists')
      return stored(object)
    },
    async replace(_, object, signal) {
      reach()
      signal.throwIfAborted()
      if (lease === undefined) throw new IngotError('KUBE_NOT_FOUND', 'gone')
      if (lease.metadata.resourceVersion !== object.metadata.resourceVersion)
        throw new IngotError('KUBE_CONFLICT', 'newer')
      return stored(object)
    },
  }
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the election calls these three alone
    api: api as KubeApi,
    spec: () => lease?.['spec'] as Record<string, unknown> | undefined,
    away: (value: boolean) => void (isAway = value),
    remove: () => void (lease = undefined),
    overwrite: (spec: object) => lease !== undefined && stored({ ...lease, spec }),
  }
}

interface Candidate {
  readonly terms: { readonly number: number; readonly term: LeadershipTerm; endedMs?: number }[]
  readonly stop: () => Promise<void>
}

const clockOf = () => createFakeClock()

function candidate(
  api: KubeApi,
  identity: string,
  clock: ReturnType<typeof clockOf> | typeof systemClock,
  times?: ElectionTimes,
): Candidate {
  const abort = new AbortController()
  const terms: Candidate['terms'] = []
  const deps = { clock, random: () => 0, log: silentLog, measures: unmeasuredRuntime }
  const running = runElection(
    {
      api,
      ...AT,
      identity,
      ...deps,
      ...(times === undefined ? {} : { times }),
      async lead(term) {
        const entry: Candidate['terms'][number] = { number: term.number, term }
        terms.push(entry)
        await new Promise<void>((resolve) => {
          if (term.signal.aborted) resolve()
          term.signal.addEventListener('abort', () => resolve(), { once: true })
        })
        entry.endedMs = clock.monotonicMs()
      },
    },
    abort.signal,
  )
  return {
    terms,
    stop: async () => {
      abort.abort(new Error('the test ended'))
      await running
    },
  }
}

describe('with faked time', () => {
  test('one of two leads, and goes on leading', async () => {
    const { api, spec } = createLeaseApi()
    const clock = clockOf()
    const [a, b] = [candidate(api, 'a', clock), candidate(api, 'b', clock)]
    await clock.advance(120_000)
    expect([a.terms.length, b.terms.length]).toEqual([1, 0])
    expect(spec()).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 1 })
    await Promise.all([a.stop(), b.stop()])
  })

  test('a clean stop releases the Lease, and the next term has a higher number', async () => {
    const { api, spec } = createLeaseApi()
    const clock = clockOf()
    const [a, b] = [candidate(api, 'a', clock), candidate(api, 'b', clock)]
    await clock.advance(1_000)
    await a.stop()
    expect(spec()).toMatchObject({ holderIdentity: '', leaseTransitions: 1 })
    await clock.advance(3_000)
    expect(b.terms.map(({ number }) => number)).toEqual([2])
    await b.stop()
  })

  test('a leader that cannot renew stops before another one can lead', async () => {
    const { api, away } = createLeaseApi()
    const clock = clockOf()
    const a = candidate(api, 'a', clock)
    await clock.advance(4_000)
    const cutMs = clock.monotonicMs()
    away(true)
    await clock.advance(30_000)
    // at most 2 s before the cut it renewed, and it stops 10 s after that
    expect((a.terms[0]?.endedMs ?? 0) - cutMs).toBeLessThanOrEqual(10_000)
    expect((a.terms[0]?.endedMs ?? 0) - cutMs).toBeGreaterThanOrEqual(8_000)
    expect(() => a.terms[0]?.term.assertHeld()).toThrow(/leadership/)
    await a.stop()
  })

  test('the Lease of a dead process is taken between 15 and 18 s after its last renewal', async () => {
    const { api, overwrite } = createLeaseApi()
    const clock = clockOf()
    await api.create(LEASES, { metadata: AT }, AbortSignal.timeout(1_000))
    overwrite({ holderIdentity: 'dead', leaseDurationSeconds: 15, leaseTransitions: 7 })
    const beganMs = clock.monotonicMs()
    const b = candidate(api, 'b', clock)
    await clock.advance(14_900)
    expect(b.terms).toHaveLength(0)
    await clock.advance(3_000)
    expect(b.terms.map(({ number }) => number)).toEqual([8])
    expect(clock.monotonicMs() - beganMs).toBeLessThan(18_000)
    await b.stop()
  })

  test('a jump of the wall clock changes nothing', async () => {
    const { api } = createLeaseApi()
    const clock = clockOf()
    const [a, b] = [candidate(api, 'a', clock), candidate(api, 'b', clock)]
    for (const jumpMs of [3_600_000, -7_200_000, 86_400_000]) {
      clock.jumpWall(jumpMs)
      await clock.advance(20_000)
    }
    expect([a.terms.length, b.terms.length]).toEqual([1, 0])
    await Promise.all([a.stop(), b.stop()])
  })

  test('a process that was stopped past its deadline writes nothing when it goes on', async () => {
    const { api } = createLeaseApi()
    const clock = clockOf()
    const a = candidate(api, 'a', clock)
    await clock.advance(1_000)
    const [first] = a.terms
    if (first === undefined) throw new Error('a does not lead')
    const bound = withTerm(api, first.term)
    clock.block(11_000)
    await expect(bound.replace(LEASES, { metadata: AT }, AbortSignal.timeout(1_000))).rejects.toThrow(/leadership/)
    await a.stop()
  })

  test.each([
    [
      'overwritten',
      ({ overwrite }: ReturnType<typeof createLeaseApi>) => overwrite({ holderIdentity: 'z', leaseTransitions: 9 }),
    ],
    ['deleted', ({ remove }: ReturnType<typeof createLeaseApi>) => remove()],
  ])('a leader whose Lease is %s stops at its next renewal', async (_, harm) => {
    const server = createLeaseApi()
    const clock = clockOf()
    const a = candidate(server.api, 'a', clock)
    await clock.advance(3_000)
    harm(server)
    const harmedMs = clock.monotonicMs()
    await clock.advance(2_500)
    expect((a.terms[0]?.endedMs ?? Number.POSITIVE_INFINITY) - harmedMs).toBeLessThanOrEqual(2_000)
    await a.stop()
  })

  test('the number is raised above one that was seen', async () => {
    const { api, spec } = createLeaseApi()
    const clock = clockOf()
    const a = candidate(api, 'a', clock)
    await clock.advance(100)
    await a.terms[0]?.term.raiseAbove(41)
    expect([a.terms[0]?.term.number, spec()?.['leaseTransitions']]).toEqual([42, 42])
    await clock.advance(10_000)
    expect(spec()?.['leaseTransitions']).toBe(42)
    await a.stop()
  })

  test('what lead rejects with ends the election, after the release', async () => {
    const { api, spec } = createLeaseApi()
    const clock = clockOf()
    const deps = { clock, random: () => 0, log: silentLog, measures: unmeasuredRuntime }
    const lead = (): Promise<void> => Promise.reject(new Error('a bug'))
    await expect(
      runElection({ api, ...AT, identity: 'a', lead, ...deps }, new AbortController().signal),
    ).rejects.toThrow('a bug')
    expect(spec()).toMatchObject({ holderIdentity: '' })
  })
})

describe('on a real API server', () => {
  const apiServer = shareApiServer()

  test('two processes hand leadership on, and never lead at the same time', async ({ skip }) => {
    const { kubeconfig } = apiServer(skip)
    using connection = createKubeConnection({ clock: systemClock, kubeconfig })
    const api = createKubeApi(connection)
    // a busy machine must not cost a leader its Lease, so only the period is short
    const times = { leaseMs: 30_000, deadlineMs: 20_000, periodMs: 200 }
    const numbers: number[] = []
    let current = candidate(api, 'first', systemClock, times)
    for (let round = 0; round < 4; round++) {
      await untilTrue('a leader', async () => current.terms.length > 0, { withinMs: 10_000 })
      numbers.push(current.terms[0]?.number ?? 0)
      const next = candidate(api, `next-${round}`, systemClock, times)
      await systemClock.sleep(500)
      expect(next.terms).toHaveLength(0)
      await current.stop()
      current = next
    }
    await current.stop()
    expect(numbers).toEqual([1, 2, 3, 4])
  })
})
