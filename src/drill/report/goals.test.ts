import { expect, test } from 'vitest'
import { CALM } from './example-outage.ts'
import { floorOf, goalsOf, type Measured } from './goals.ts'

const measured = (more: Partial<Measured>): Measured => ({
  setup: { mode: 'sentinel', store: 'postgres', lock: 'auto' },
  fault: 'primary-kill',
  outage: CALM,
  floorMs: 0,
  ...more,
})
const met = (one: Measured): readonly boolean[] => goalsOf(one).map((goal) => goal.met)
const failing = (name: string, failingMs = 1_000) => ({ ...CALM, failures: { [name]: 2 }, failingMs })

test('no write may fail where no write waits for Redis', () => {
  expect(met(measured({}))).toEqual([true])
  expect(met(measured({ outage: failing('timeout') }))).toEqual([false])
})

test('where writes wait for Redis, a forced kill may cost the floor plus two seconds', () => {
  const setup = { mode: 'sentinel', store: 'postgres', lock: 'always' } as const
  const floorMs = floorOf(setup, 'primary-kill')
  expect(floorMs).toBeGreaterThan(0)
  expect(met(measured({ setup, floorMs, outage: failing('503 LOCK_BACKEND_UNAVAILABLE', floorMs + 1_900) }))).toEqual([
    true,
  ])
  expect(met(measured({ setup, floorMs, outage: { ...CALM, withoutGoodMs: floorMs + 2_100 } }))).toEqual([false])
  expect(met(measured({ setup, floorMs, outage: { ...CALM, slowestMs: floorMs + 2_100 } }))).toEqual([false])
})

test('the death of a pod may fail requests on its connections, and none that a running pod receives', () => {
  expect(met(measured({ fault: 'service-kill', outage: failing('reset') }))).toEqual([true])
  expect(met(measured({ fault: 'service-kill', outage: failing('503 STORE_UNAVAILABLE') }))).toEqual([false])
})

test('a graceful fault fails no write, and loses no write of the canary', () => {
  const kept = { writesLost: 0, overlappingGrants: 0 }
  expect(met(measured({ fault: 'restart-all', canary: kept }))).toEqual([true, true])
  expect(met(measured({ fault: 'primary-delete', canary: { ...kept, writesLost: 1 } }))).toEqual([true, false])
  expect(met(measured({ fault: 'upgrade-image', outage: failing('reset'), canary: kept }))).toEqual([false, true])
})

test('an overtaken delete may cost the failure detection of the primary, a plain kill of the same run, and five seconds', () => {
  const setup = { mode: 'sentinel', store: 'http', lock: 'auto' } as const
  const one = (withoutGoodMs: number, referenceMs: number) =>
    goalsOf(measured({ setup, fault: 'overtaken-delete', outage: { ...CALM, withoutGoodMs }, referenceMs }))
  expect(one(18_000, 8_000)).toMatchObject([{ met: true, isTime: true }, { met: true }])
  expect(one(18_100, 8_000)).toMatchObject([{ met: false, isTime: true }, { met: true }])
  expect(goalsOf(measured({ setup, fault: 'overtaken-delete' }))[0]).not.toHaveProperty('isTime')
  expect(met(measured({ setup, fault: 'overtaken-delete' }))).toEqual([false, true])
  expect(met(measured({ fault: 'overtaken-delete', outage: failing('timeout') }))).toEqual([false])
})

test('an overtaken hand-over that uses all its time fails the drill, and a late second failover does not', () => {
  const setup = { mode: 'sentinel', store: 'http', lock: 'auto' } as const
  const handover = (outage: Measured['outage']) =>
    goalsOf(measured({ setup, fault: 'overtaken-delete', outage, referenceMs: 8_000 }))[1]
  expect(handover({ ...CALM, withoutGoodMs: 30_000 })).toMatchObject({ met: false })
  expect(handover({ ...CALM, withoutGoodMs: 30_000 })).not.toHaveProperty('isTime')
  expect(handover({ ...CALM, withoutGoodMs: 8_000, failingMs: 36_000 })).toMatchObject({ met: true })
})
