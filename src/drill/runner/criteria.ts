/** Evaluates the criteria of a drill on its records. Pure. */

import { parseDurationMs } from '../../std/duration.ts'
import { type Operation, operationsOf } from '../checkers/operations.ts'
import { endMs, greatest } from '../checkers/responses.ts'
import type { Finding } from '../checkers/verdict.ts'
import type { Event } from '../history.ts'
import type { Judged } from '../report/judge.ts'
import type { CriterionResult } from '../report/model.ts'
import type { Criteria } from '../spec/schema.ts'
import type { RoleSample } from './sampler.ts'

/** What the criteria are evaluated on. */
export interface Evidence {
  readonly judged: Judged
  readonly samples: readonly RoleSample[]
  /** Primaries that a healthy release has. */
  readonly shards: number
  /** Beginning of the first injection, in milliseconds of the history. */
  readonly injectedMs: number
}

/** A criterion without a value on which it could be judged has no result, and the drill is inconclusive. */
export type Criterion = CriterionResult | { readonly name: string; readonly unknown: string }

type Evaluate<K extends keyof Criteria> = (wanted: NonNullable<Criteria[K]>, evidence: Evidence) => readonly Criterion[]

/** Returns one result for each criterion. */
export function evaluate(criteria: Criteria, evidence: Evidence): readonly Criterion[] {
  return [
    ...of(criteria.lostItems, evidence, counted('lostItems', 'nothing-lost', 'acknowledged items lost')),
    ...of(criteria.duplicates, evidence, counted('duplicates', 'stored-once', 'contents stored twice')),
    ...of(criteria.redisLoss, evidence, redisLoss),
    ...of(criteria.onePrimary, evidence, onePrimary),
    ...of(criteria.failedWrites, evidence, failedWrites),
    ...of(criteria.unavailable, evidence, unavailable),
    ...of(criteria.recoveredWithin ?? '10s', evidence, recoveredWithin),
    ...of(criteria.latency, evidence, latency),
    ...of(criteria.errors, evidence, errors),
  ]
}

function of<T>(
  wanted: T | undefined,
  evidence: Evidence,
  evaluateOne: (wanted: T, evidence: Evidence) => readonly Criterion[],
): readonly Criterion[] {
  return wanted === undefined ? [] : evaluateOne(wanted, evidence)
}

const result = (name: string, wanted: string, seen: string, met: boolean): readonly Criterion[] => [
  { name, wanted, seen, met },
]
const unknown = (name: string, why: string): readonly Criterion[] => [{ name, unknown: why }]
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

/** Returns the number of counter-examples of a check, or undefined if the check is inconclusive. */
export function violations(finding: Finding | undefined): number | undefined {
  if (finding === undefined || finding.kind === 'inconclusive') return undefined
  return finding.figures['violations'] ?? finding.counterExamples.length
}

function counted(name: 'lostItems' | 'duplicates', check: string, what: string): Evaluate<'lostItems'> {
  return (wanted, { judged }) => {
    const count = violations(judged.verdict.checks[check])
    if (count === undefined) return unknown(name, judged.verdict.checks[check]?.why ?? 'it was not checked')
    return result(name, `at most ${wanted} ${what}`, String(count), count <= wanted)
  }
}

const redisLoss: Evaluate<'redisLoss'> = (wanted, { judged }) => {
  const lost = judged.verdict.checks['canary-writes']?.figures['lost']
  const says = wanted === 'Forbid' ? 'Redis loses no acknowledged write' : 'reported'
  if (lost === undefined) {
    return wanted === 'Report'
      ? []
      : unknown('redisLoss', judged.verdict.checks['canary-writes']?.why ?? 'there was no canary')
  }
  return result('redisLoss', says, `${lost} lost`, wanted === 'Report' || lost === 0)
}

const onePrimary: Evaluate<'onePrimary'> = (wanted, { samples, shards }) => {
  if (!wanted || shards === 0) return []
  if (samples.length === 0) return unknown('onePrimary', 'no sample of the roles could be taken')
  const double = samples.filter(({ writable }) => writable.length > shards)
  const unsynced = samples.flatMap((sample) => sample.unsynced)
  const seen = [
    `${double.length} of ${samples.length} samples with more`,
    ...(unsynced.length === 0 ? [] : [`promoted without its data: ${[...new Set(unsynced)].join(', ')}`]),
  ]
  const says = `at most ${shards} writable ${shards === 1 ? 'primary' : 'primaries'} at each second`
  return result('onePrimary', says, seen.join('; '), double.length === 0 && unsynced.length === 0)
}

const failedWrites: Evaluate<'failedWrites'> = (wanted, { judged }) => {
  const counts = Object.entries(judged.outage.failures)
  const failed = counts.reduce((sum, [, count]) => sum + count, 0)
  const classes = counts.map(([name, count]) => `${name} ${count}`).join(', ')
  return result('failedWrites', `at most ${wanted}`, failed === 0 ? '0' : `${failed}: ${classes}`, failed <= wanted)
}

const unavailable: Evaluate<'unavailable'> = (wanted, { judged }) => {
  const { withoutGoodMs } = judged.outage
  const limitMs = parseDurationMs(wanted) ?? 0
  return result(
    'unavailable',
    `at most ${wanted} without an acknowledged write`,
    seconds(withoutGoodMs),
    withoutGoodMs <= limitMs,
  )
}

const recoveredWithin: Evaluate<'recoveredWithin'> = (wanted, { judged }) => {
  const healedMs = greatest(
    judged.events.filter(({ f, type }) => f === 'fault' && type !== 'invoke').map(({ tMono }) => tMono),
  )
  if (!Number.isFinite(healedMs)) return unknown('recoveredWithin', 'no fault ended')
  const good = goodAfter(judged.events, healedMs)
  const says = `an acknowledged write within ${wanted} of the last fault's end`
  if (good === undefined) return result('recoveredWithin', says, 'none', false)
  return result('recoveredWithin', says, seconds(good - healedMs), good - healedMs <= (parseDurationMs(wanted) ?? 0))
}

function goodAfter(events: readonly Event[], ms: number): number | undefined {
  return loadOf(events)
    .filter(({ invoke, outcome }) => outcome === 'ok' && invoke.tMono >= ms)
    .map((operation) => endMs(operation, ms))
    .toSorted((a, b) => a - b)[0]
}

/** Returns the saves of the load, without those that settle its outcomes. */
function loadOf(events: readonly Event[]): readonly Operation[] {
  return operationsOf(events, 'save').filter(({ invoke }) => !/^(settle|unknown)/.test(invoke.process))
}

const latency: Evaluate<'latency'> = (wanted, { judged, injectedMs }) => {
  const times = loadOf(judged.events)
    .filter((one) => one.outcome === 'ok' && endMs(one, Number.POSITIVE_INFINITY) < injectedMs)
    .map((one) => endMs(one, 0) - one.invoke.tMono)
    .toSorted((a, b) => a - b)
  const p99 = times[Math.ceil(times.length * 0.99) - 1]
  if (p99 === undefined) return unknown('latency', 'no write was acknowledged before the first fault')
  return result(
    'latency',
    `p99 before the first fault at most ${wanted}`,
    `${Math.round(p99)} ms`,
    p99 <= (parseDurationMs(wanted) ?? 0),
  )
}

const errors: Evaluate<'errors'> = (wanted, { judged, injectedMs }) => {
  const failed = loadOf(judged.events).filter(({ outcome }) => outcome !== 'ok')
  return Object.entries(wanted).flatMap(([name, { max, within }]) => {
    const own = failed.filter(({ completion }) => ` ${completion?.error ?? ''} `.includes(` ${name} `))
    const lastMs = greatest(own.map((one) => endMs(one, one.invoke.tMono))) - injectedMs
    const limitMs = within === undefined ? undefined : parseDurationMs(within)
    const isFew = max === undefined || own.length <= max
    const isShort = limitMs === undefined || own.length === 0 || lastMs <= limitMs
    const says = [
      ...(max === undefined ? [] : [`at most ${max}`]),
      ...(within === undefined ? [] : [`none after ${within}`]),
    ]
    const seen = own.length === 0 ? 'none' : `${own.length}, the last one after ${seconds(lastMs)}`
    return result(`errors.${name}`, says.join(', '), seen, isFew && isShort)
  })
}
