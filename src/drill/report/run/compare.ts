/** Compares a run of a drill with the run before. Pure. */
import type { DrillVerdict, Summary } from '../../spec/status.ts'
import type { DrillReport, PreviousRun } from '../model.ts'

export interface Change {
  readonly name: string
  readonly before: string
  readonly now: string
  readonly trend: 'better' | 'worse' | 'same' | 'unknown'
}

/** Figures of which a lower value is better. */
const LOWER_IS_BETTER = [
  ['lost', 'acknowledged items lost'],
  ['duplicates', 'contents stored twice'],
  ['redisLost', 'writes lost by Redis'],
  ['doubleGrants', 'locks that Redis granted twice'],
  ['secondsWithoutWrite', 'seconds without a good write'],
  ['firstGoodWrite', 'seconds to the first good write'],
  ['rejected', 'writes refused'],
  ['indeterminate', 'writes of unknown outcome'],
  ['bystanderErrors', 'failed requests of other clients'],
] as const satisfies readonly (readonly [keyof Summary, string])[]

/** From the best to the worst. */
const ORDER: readonly DrillVerdict[] = ['Pass', 'Inconclusive', 'Aborted', 'Fail']

/** Returns the verdict and each figure that at least one of the runs knows, in the order of their weight. */
export function compare(
  { verdict, summary }: Pick<DrillReport, 'verdict' | 'summary'>,
  previous: Pick<PreviousRun, 'verdict' | 'summary'>,
): readonly Change[] {
  const verdicts: Change = {
    name: 'verdict',
    before: previous.verdict,
    now: verdict,
    trend: trendOf(ORDER.indexOf(previous.verdict), ORDER.indexOf(verdict)),
  }
  const figures = LOWER_IS_BETTER.flatMap(([member, name]) => changeOf(name, previous.summary[member], summary[member]))
  return [verdicts, ...figures]
}

function changeOf(name: string, before: number | undefined, now: number | undefined): readonly Change[] {
  if (before === undefined && now === undefined) return []
  return [{ name, before: textOf(before), now: textOf(now), trend: trendOf(before, now) }]
}

function textOf(value: number | undefined): string {
  if (value === undefined) return 'unknown'
  return Number.isInteger(value) ? String(value) : value.toFixed(1)
}

function trendOf(before: number | undefined, now: number | undefined): Change['trend'] {
  if (before === undefined || now === undefined) return 'unknown'
  if (textOf(before) === textOf(now)) return 'same'
  return now < before ? 'better' : 'worse'
}
