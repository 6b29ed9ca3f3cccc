/** The schema and the rules of DrillSchedule, as a real API server applies them. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type KindServer, messagesOf, type RefusedSpec, startKindServer } from '../../testing/kube/kind-rules.ts'
import { type Absent, present } from '../../testing/present.ts'
import { DRILL_SCHEDULE, DRILL_SCHEDULE_SPEC } from './drill-schedule.ts'

const template = { spec: { target: { release: 'shop' } } }
const WEEKLY = { schedule: '0 3 * * 1', scenarios: ['D1', 'D2'], template }
const KILL = { name: 'kill', action: 'Kill', target: { component: 'redis' } }

const VALID: Readonly<Record<string, object>> = {
  'scenarios in rotation': WEEKLY,
  'own faults': {
    schedule: '*/15 8-18 * * MON-FRI',
    timeZone: 'Europe/Vienna',
    window: { from: '22:00', to: '04:30' },
    faults: [KILL],
    template: { labels: { team: 'shop' }, spec: { ...template.spec, load: { rate: 20 } } },
    startingDeadline: '30m',
    successfulHistoryLimit: 5,
    failedHistoryLimit: 10,
    freshness: '24h',
    suspend: true,
  },
}

const templateWith = (more: object): object => ({ ...WEEKLY, template: { spec: { ...template.spec, ...more } } })

const REFUSED: Readonly<Record<string, RefusedSpec>> = {
  'six fields': { says: 'write the five fields of cron', spec: { ...WEEKLY, schedule: '0 0 3 * * 1' } },
  'a nickname': { says: 'write the five fields of cron', spec: { ...WEEKLY, schedule: '@weekly' } },
  'an empty window': { says: 'the window has no time', spec: { ...WEEKLY, window: { from: '03:00', to: '03:00' } } },
  'a freshness of seconds': { says: 'write a duration from a minute', spec: { ...WEEKLY, freshness: '30s' } },
  'a freshness of two years': { says: 'write a duration from a minute', spec: { ...WEEKLY, freshness: '20000h' } },
  'scenarios and faults': { says: 'write exactly one of scenarios', spec: { ...WEEKLY, faults: [KILL] } },
  'neither scenarios nor faults': { says: 'write exactly one of scenarios', spec: { schedule: '0 3 * * 1', template } },
  'a time of day that is none': {
    says: 'spec.window.from',
    spec: { ...WEEKLY, window: { from: '24:00', to: '03:00' } },
  },
  'a time zone that is a sentence': { says: 'spec.timeZone', spec: { ...WEEKLY, timeZone: 'the local one' } },
  'an odd rate': { says: 'the rate is an even number', spec: templateWith({ load: { rate: 3 } }) },
  'a claim without a name': { says: 'the store Claim needs', spec: templateWith({ report: { store: 'Claim' } }) },
  'a bucket without an address': {
    says: 'the store Bucket needs',
    spec: templateWith({ report: { store: 'Bucket' } }),
  },
}

/** Rules that FailoverDrill has too; its test refuses drills by them. */
const SHARED =
  /^(write a duration up to an hour|only pods|name the target|Scale needs|replicas is only|image is only|the action |External needs|external is only|Crash and Stall|two faults)/

let server: KindServer | Absent

beforeAll(async () => {
  server = await startKindServer(DRILL_SCHEDULE)
})
beforeEach(({ skip }) => void present(server, skip))
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

test.each(Object.entries(VALID))('accepts %s', async (_what, spec) => {
  if ('absent' in server) return
  const created = await server.apply(spec)
  expect(created['spec']).toMatchObject({ startingDeadline: '1h', freshness: '168h', timeZone: 'UTC', ...spec })
})

test.each(Object.entries(REFUSED))('refuses %s', async (_what, { says, spec }) => {
  if ('absent' in server) return
  const attempt = server.apply(spec)
  await expect(attempt).rejects.toMatchObject({ code: 'KUBE_INVALID' })
  await expect(attempt).rejects.toThrow(says)
})

test('every rule has a schedule that it refuses', () => {
  const refused = Object.values(REFUSED).map(({ says }) => says)
  const isRefused = (message: string): boolean =>
    SHARED.test(message) || refused.some((says) => message.startsWith(says))
  expect(messagesOf(DRILL_SCHEDULE_SPEC).filter((message) => !isRefused(message))).toEqual([])
})

test('knows no field that a template may not have', async () => {
  if ('absent' in server) return
  for (const field of ['scenario', 'faults', 'dryRun', 'cancel']) {
    await expect(server.apply(templateWith({ [field]: true }))).rejects.toThrow(
      `${field}: field not declared in schema`,
    )
  }
})

test('keeps a complete status', async () => {
  if ('absent' in server) return
  const at = '2026-01-02T03:04:05Z'
  const status = {
    observedGeneration: 1,
    starts: 4,
    lastScheduled: at,
    lastDrill: 'weekly-2',
    lastVerdict: 'Fail',
    lastPassed: { name: 'weekly-1', at },
    next: at,
    active: 'weekly-3',
    conditions: [
      { type: 'Fresh', status: 'True', reason: 'Passed', message: '…', observedGeneration: 1, lastTransitionTime: at },
    ],
  }
  expect(await server.writeStatus(WEEKLY, status)).toEqual(status)
})
