/** Tests settings of the load tests: an invalid setting must stop a run before it sends anything. */
import { expect, test } from 'vitest'
import { settingsOf } from '../../../../loadtests/lib/settings.ts'

const DEFAULTS = { rate: 50, durationMs: 60_000 }

test('unset variables have the defaults of the script', () => {
  expect(settingsOf({ BASE_URL: 'http://ingot/', RUN: 'one' }, DEFAULTS)).toEqual({
    baseUrl: 'http://ingot',
    collection: 'load',
    run: 'one',
    rate: 50,
    durationMs: 60_000,
    timeoutMs: 2_000,
    token: '',
    parts: ['load', 'settle'],
    phases: [{ name: 'steady', lengthMs: Number.POSITIVE_INFINITY }],
    p99Ms: 500,
    errors: 0,
  })
})

test('phases follow one another, and the last one lasts to the end', () => {
  expect(settingsOf({ PHASES: 'baseline:20s,fault:1.5m,recovery' }, DEFAULTS).phases).toEqual([
    { name: 'baseline', lengthMs: 20_000 },
    { name: 'fault', lengthMs: 90_000 },
    { name: 'recovery', lengthMs: Number.POSITIVE_INFINITY },
  ])
})

test.each([
  ['RATE', '7', 'RATE is 7, write an even number: iterations come in pairs'],
  ['RATE', 'fast', 'RATE is "fast", write a number from 2'],
  ['DURATION', '60', 'DURATION is "60", write a duration such as 500ms, 30s or 5m'],
  ['PARTS', 'all', 'PARTS is "all", write load, settle or load,settle'],
  ['PHASES', 'baseline,fault:40s', 'PHASES is "baseline,fault:40s", write such as baseline:20s,fault:40s,recovery'],
  ['PHASES', 'fault:soon,recovery', 'PHASES is "soon", write a duration such as 500ms, 30s or 5m'],
])('the error for %s=%s has a valid example', (name, value, message) => {
  expect(() => settingsOf({ [name]: value }, DEFAULTS)).toThrow(message)
})
