/**
 * The load and its final phase, for the scripts of the parent folder. Two scenarios with the same rate start their iterations
 * at the same moments, so that different virtual users send the same content concurrently. The arrival rate is open: a
 * service that stalls does not slow it, and an iteration that could not start fails the run.
 */
import { sleep } from 'k6'
import exec from 'k6/execution'
import http from 'k6/http'
import type { Options, Scenario } from 'k6/options'
import { type PlannedItem, shotAt } from '../../src/drill/sources/k6/plan.ts'
import { record } from './record.ts'
import { send } from './send.ts'
import type { Settings } from './settings.ts'

/** Number of virtual users in addition to those that a total stall occupies. */
const SPARE_VUS = 10
/** Time of a virtual user after a request timed out, in milliseconds, until its next one can start. */
const AFTERWARDS_MS = 500
/** Pause between the load and the final phase, in milliseconds, in addition to one time-out. */
const QUIET_MS = 1_000
/** Final phase: iterations per batch, virtual users, and longest duration. */
const CHUNK = 25
const SETTLERS = 4
const SETTLE_MS = 60_000
const AGAIN_S = 0.5
/** Longest wait until the service is ready at the start, in milliseconds. */
const READY_MS = 60_000

/** Largest number of iterations of the two scenarios: an arrival at the end may count for either. */
function iterationsOf({ rate, durationMs }: Settings): number {
  return 2 * (Math.ceil(((rate / 2) * durationMs) / 1_000) + 1)
}

function optionsOf(settings: Settings): Options {
  const { parts, durationMs, timeoutMs } = settings
  const settleAt = parts.includes('load') ? durationMs + timeoutMs + QUIET_MS : 0
  return {
    scenarios: {
      ...(parts.includes('load') ? { even: arrivals(settings, 'even'), odd: arrivals(settings, 'odd') } : {}),
      ...(parts.includes('settle') ? { settle: settling(settings, settleAt) } : {}),
    },
    thresholds: thresholdsOf(settings),
    summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
    systemTags: ['status', 'error_code', 'name', 'scenario', 'expected_response'],
    setupTimeout: '90s',
  }
}

function arrivals({ rate, durationMs, timeoutMs }: Settings, name: string): Scenario {
  const users = Math.ceil((rate / 2) * ((timeoutMs + AFTERWARDS_MS) / 1_000)) + SPARE_VUS
  return {
    executor: 'constant-arrival-rate',
    exec: name,
    rate,
    timeUnit: '2s',
    duration: `${durationMs}ms`,
    preAllocatedVUs: users,
    maxVUs: users,
    gracefulStop: `${timeoutMs + AFTERWARDS_MS}ms`,
  }
}

function settling(settings: Settings, startMs: number): Scenario {
  const chunks = Math.ceil(iterationsOf(settings) / CHUNK)
  return {
    executor: 'shared-iterations',
    exec: 'settle',
    vus: Math.min(SETTLERS, chunks),
    iterations: chunks,
    startTime: `${startMs}ms`,
    maxDuration: `${SETTLE_MS}ms`,
  }
}

/** Failures in the phase `fault` are results: they are shown, and do not fail the run. */
function thresholdsOf({ phases, p99Ms, errors }: Settings): Record<string, string[]> {
  const all: Record<string, string[]> = { dropped_iterations: ['count==0'] }
  for (const { name } of phases) {
    const strict = name !== 'fault'
    all[`http_req_failed{phase:${name}}`] = [strict ? `rate<=${errors}` : 'rate<=1']
    all[`http_req_duration{phase:${name}}`] = [strict ? `p(99)<${p99Ms}` : 'p(99)>=0']
  }
  return all
}

/** Data that setup passes to every virtual user, such as the name of the run. */
export interface Start {
  readonly beganMs: number
  readonly run: string
}

/** Exports of a script. */
export interface LoadTest {
  readonly options: Options
  setup(this: void): Start
  even(this: void, start: Start): void
  odd(this: void, start: Start): void
  settle(this: void, start: Start): void
  teardown(this: void): void
}

export function loadTest(settings: Settings): LoadTest {
  return {
    options: optionsOf(settings),
    setup: () => begin(settings),
    even: (start) => arrive({ ...settings, run: start.run }, start, 0),
    odd: (start) => arrive({ ...settings, run: start.run }, start, 1),
    settle: ({ run }) => settleChunk({ ...settings, run }),
    teardown: finish,
  }
}

/** Waits until the service is ready, because earlier requests would say nothing about it. */
export function begin(settings: Settings): Start {
  const { run, collection } = settings
  const endMs = Date.now() + READY_MS
  const ready = `${settings.baseUrl}/readyz`
  const tags = { name: 'ready', phase: 'setup' }
  while (http.get(ready, { timeout: settings.timeoutMs, tags }).status !== 200) {
    if (Date.now() > endMs) throw new Error(`${ready} did not return 200 within ${READY_MS} ms`)
    sleep(1)
  }
  record({ event: 'began', run, collection, iterations: String(iterationsOf(settings)) })
  return { beganMs: Date.now(), run }
}

function finish(): void {
  record({ event: 'ended' })
}

/** Runs one arrival of the scenario of even (0) or odd (1) iterations. */
function arrive(settings: Settings, { beganMs }: Start, parity: 0 | 1): void {
  exec.vu.metrics.tags['phase'] = phaseAt(settings, Date.now() - beganMs)
  const iteration = 2 * exec.scenario.iterationInTest + parity
  send(settings, shotAt(settings.run, iteration), { op: `${settings.run}.${iteration}`, iteration })
}

function phaseAt({ phases }: Settings, atMs: number): string {
  let leftMs = atMs
  for (const { name, lengthMs } of phases) {
    if (leftMs < lengthMs) return name
    leftMs -= lengthMs
  }
  return phases[phases.length - 1]?.name ?? ''
}

/**
 * Sends all items of some iterations again until each has a response. This is not part of the load, and the only requests
 * with retries: unknown outcomes must be settled before the store is checked.
 */
function settleChunk(settings: Settings): void {
  exec.vu.metrics.tags['phase'] = 'settle'
  const chunk = exec.scenario.iterationInTest
  const items = itemsOf(settings.run, chunk * CHUNK, iterationsOf(settings))
  for (let attempt = 1; ; attempt++) {
    const op = `${settings.run}.settle-${chunk}.${attempt}`
    const answer = send(settings, { form: 'batch', items }, { op })
    if (answer.items.every(([kind]) => kind === 'created' || kind === 'duplicate')) return
    sleep(AGAIN_S)
  }
}

function itemsOf(run: string, from: number, end: number): readonly PlannedItem[] {
  const items = new Map<string, PlannedItem>()
  for (let iteration = from; iteration < Math.min(from + CHUNK, end); iteration++) {
    for (const item of shotAt(run, iteration).items) items.set(item.key, item)
  }
  return Array.from(items.values())
}
