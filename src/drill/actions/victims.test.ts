import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFakeRelease } from '../../testing/kube/fake-release.ts'
import { COMPONENTS } from '../spec/fault.ts'
import type { FaultSpec } from '../spec/schema.ts'
import { Refusal } from './action.ts'
import { beyondSafety, victimsOf } from './victims.ts'

const { signal } = new AbortController()
const release = createFakeRelease()
const pods = await release.workloads.pods(signal)
const roles = await release.redis.roles(
  pods.filter(({ component }) => component === 'redis'),
  { signal },
)
const view = { pods, roles }
const none = new Map<string, never>()
const names = (target: FaultSpec['target']) => victimsOf({ target } as FaultSpec, view, none).map(({ name }) => name)

test.each<[string, FaultSpec['target'], readonly string[]]>([
  ['a primary', { component: 'redis', role: 'primary' }, ['redis-0']],
  ['a replica', { component: 'redis', role: 'replica' }, ['redis-1']],
  ['two replicas', { component: 'redis', role: 'replica', count: 2 }, ['redis-1', 'redis-2']],
  ['all servers', { component: 'redis', count: 0 }, ['redis-0', 'redis-1', 'redis-2']],
  [
    'a primary and a Sentinel',
    { component: 'redis', role: 'primary', and: [{ component: 'sentinel' }] },
    ['redis-0', 'sentinel-0'],
  ],
  [
    'two different pods of one component',
    { component: 'service', and: [{ component: 'service' }] },
    ['service-0', 'service-1'],
  ],
])('%s', (_, target, expected) => {
  expect(names(target)).toEqual(expected)
})

test.each<[FaultSpec['target'], string]>([
  [{ component: 'redis', role: 'primary', count: 2 }, 'there are 1 pods of redis primary, and the fault needs 2'],
  [{ component: 'operator' }, 'there is no pod of operator'],
  [{ component: 'redis', sameAs: 'other' }, 'no fault before this one has the name "other"'],
])('%j is refused', (target, says) => {
  expect(() => names(target)).toThrow(new Refusal(says))
})

test('the pods of an earlier fault are hit again, although they have been replaced', () => {
  const [first] = pods
  if (first === undefined) throw new Error('there are no pods')
  const earlier = new Map([['graceful', [first]]])
  const target = { component: 'redis', sameAs: 'graceful' } as const
  expect(victimsOf({ target }, { pods: [], roles: [] }, earlier)).toEqual([first])
})

test('no pod is chosen twice, and each is one of the release', () => {
  const choice = fc.record({
    component: fc.constantFrom(...COMPONENTS),
    role: fc.constantFrom('any', 'replica', 'primary'),
    count: fc.integer({ min: 0, max: 4 }),
  })
  fc.assert(
    fc.property(choice, fc.array(choice, { maxLength: 3 }), (first, and) => {
      let chosen: readonly string[]
      try {
        chosen = names({ ...first, and })
      } catch (failure) {
        expect(failure).toBeInstanceOf(Refusal)
        return
      }
      expect(new Set(chosen).size).toBe(chosen.length)
      expect(pods.map(({ name }) => name)).toEqual(expect.arrayContaining([...chosen]))
    }),
  )
})

describe('safety', () => {
  const of = (component: string) => pods.filter((pod) => pod.component === component)
  const damage = (broken: typeof pods, isOwn = true) => ({ broken, view, mode: 'sentinel', isOwn })

  test('own faults may not break a majority of the Sentinels, unless it is allowed', () => {
    expect(beyondSafety(damage(of('sentinel').slice(0, 1)), {})).toBeUndefined()
    expect(beyondSafety(damage(of('sentinel').slice(0, 2)), {})).toContain('2 of 3 Sentinels would be broken')
    expect(beyondSafety(damage(of('sentinel').slice(0, 2)), { keepMajority: false })).toBeUndefined()
    expect(beyondSafety(damage(of('sentinel').slice(0, 2), false), {})).toBeUndefined()
  })

  test('the numbers of pods and nodes are limited', () => {
    expect(beyondSafety(damage(of('redis')), { maxPods: 2 })).toContain('3 pods would be broken')
    expect(beyondSafety(damage(of('redis')), { maxNodes: 1 })).toContain('pods on 3 nodes')
    expect(beyondSafety(damage(of('redis')), { maxPods: 3, maxNodes: 3 })).toBeUndefined()
  })
})
