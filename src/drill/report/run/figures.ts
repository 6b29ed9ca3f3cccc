/** Figures of a report in words: what all renderings show first. Pure. */
import type { CheckResult, CriterionResult, DrillReport } from '../model.ts'
import { adviceForCheck, adviceForCriterion } from './advice.ts'

export interface Figure {
  readonly name: string
  readonly value: string
  readonly unit: string
  readonly isBad: boolean
}

/** Returns the figures, the recovery time and the loss first. */
export function figuresOf({ summary }: Pick<DrillReport, 'summary'>): readonly Figure[] {
  const { acknowledged, attempted, lost, duplicates, rejected, indeterminate } = summary
  return [
    {
      name: 'RTO',
      value: secondsText(summary.secondsWithoutWrite),
      unit: 'longest time without a good write',
      isBad: false,
    },
    {
      name: 'RPO',
      value: countText(lost),
      unit: `acknowledged items lost of ${countText(acknowledged)}`,
      isBad: lost !== undefined && lost > 0,
    },
    {
      name: 'Stored twice',
      value: countText(duplicates),
      unit: 'contents',
      isBad: duplicates !== undefined && duplicates > 0,
    },
    {
      name: 'Failed writes',
      value: countText(rejected + indeterminate),
      unit: `of ${countText(attempted)}: ${countText(rejected)} refused, ${countText(indeterminate)} of unknown outcome`,
      isBad: false,
    },
    ...optional('First good write', summary.firstGoodWrite, secondsText, 'after the first fault'),
    ...optional('Lost by Redis', summary.redisLost, countText, 'acknowledged writes of the canary'),
    ...optional('Granted twice', summary.doubleGrants, countText, 'locks of the canary'),
    ...optional('Bystanders', summary.bystanderErrors, countText, 'failed requests of other clients'),
  ]
}

function optional(
  name: string,
  value: number | undefined,
  text: (value: number) => string,
  unit: string,
): readonly Figure[] {
  return value === undefined ? [] : [{ name, value: text(value), unit, isBad: false }]
}

export interface Remedy {
  readonly of: string
  readonly what: string
  readonly advice: string
}

/** Returns what failed and what to change: missed criteria, then checks that are not valid. */
export function remediesOf({ criteria, checks }: Pick<DrillReport, 'criteria' | 'checks'>): readonly Remedy[] {
  const missed = criteria.filter(({ met }) => !met).map(remedyOfCriterion)
  return [...missed, ...checks.filter(({ kind }) => kind !== 'valid').map(remedyOfCheck)]
}

function remedyOfCriterion({ name, wanted, seen, advice }: CriterionResult): Remedy {
  return { of: name, what: `wanted ${wanted}, seen ${seen}`, advice: advice ?? adviceForCriterion(name) }
}

function remedyOfCheck({ name, kind, why, examples }: CheckResult): Remedy {
  const [first = ''] = examples
  const reason = why === '' ? first : why
  return { of: name, what: reason === '' ? kind : `${kind}: ${reason}`, advice: adviceForCheck(name) }
}

/** Returns the number with grouped digits, or `unknown`. */
export function countText(count: number | undefined): string {
  return count === undefined ? 'unknown' : String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** Returns seconds such as `7.3 s`. */
export function secondsText(seconds: number): string {
  return `${seconds.toFixed(seconds < 100 ? 1 : 0)} s`
}

/** Returns the time since the start, such as `2:05` or `1:02:05`. */
export function offsetText(ms: number): string {
  const whole = Math.max(0, Math.round(ms / 1_000))
  const [hours, minutes, seconds] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60]
  const tail = String(seconds).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}

/** Returns `2026-11-30 02:15:07 UTC` for an ISO time; another text unchanged. */
export function timeText(iso: string): string {
  const ms = Date.parse(iso)
  return Number.isNaN(ms) ? iso : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
