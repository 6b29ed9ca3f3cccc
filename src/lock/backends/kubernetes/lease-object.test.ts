import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/client/resource.ts'
import {
  type Claim,
  fenceOf,
  freedObject,
  grantedObject,
  holderOf,
  objectName,
  renewedObject,
  ttlMsOf,
} from './lease-object.ts'

const claim: Claim = { namespace: 'n', key: 'k', token: 't', ttlMs: 1_500, wallMs: 0 }
const stored = (object: KubeObject, resourceVersion: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
})

/** Accepts a write as the API server does: for the current version, or for any if it names none. */
const isAccepted = (write: KubeObject, current: KubeObject): boolean =>
  [undefined, current.metadata.resourceVersion].includes(write.metadata.resourceVersion)

test('a grant, its renewal and its release keep the fence of the grant, and the length of the lease', () => {
  const granted = stored(grantedObject(claim, undefined), '7')
  expect([holderOf(granted), fenceOf(granted), ttlMsOf(granted)]).toEqual(['t', 7n, 1_500])
  const renewed = stored(renewedObject({ ...claim, ttlMs: 2_500 }, granted, 7n), '9')
  expect([holderOf(renewed), fenceOf(renewed), ttlMsOf(renewed)]).toEqual(['t', 7n, 2_500])
  const freed = stored(freedObject(renewed), '12')
  expect(holderOf(freed)).toBeUndefined()
  const next = stored(grantedObject({ ...claim, token: 'u' }, freed), '13')
  expect([holderOf(next), fenceOf(next)]).toEqual(['u', 13n])
  expect(next['spec']).toMatchObject({ leaseTransitions: 2, leaseDurationSeconds: 2 })
})

test('of two claims on one version one is accepted; without the version both would be', () => {
  const free = stored(freedObject(grantedObject(claim, undefined)), '3')
  const [first, second] = [claim, { ...claim, token: 'u' }].map((one) => grantedObject(one, free))
  if (first === undefined || second === undefined) throw new Error('impossible')
  expect(isAccepted(first, free)).toBe(true)
  const current = stored(first, '4')
  expect(isAccepted(second, current)).toBe(false)
  const { resourceVersion: _version, ...metadata } = second.metadata
  expect(isAccepted({ ...second, metadata }, current)).toBe(true)
})

test('times have exactly six decimals, and a name fits any key', () => {
  expect(grantedObject(claim, undefined)['spec']).toMatchObject({ renewTime: '1970-01-01T00:00:00.000000Z' })
  expect(objectName('ü'.repeat(256))).toMatch(/^ingot-[\da-f]{40}$/)
})
