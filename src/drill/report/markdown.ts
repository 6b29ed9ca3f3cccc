/** Renders results as Markdown: one row per drill, then goals, evidence and failures. Pure. */
import { FAULTS, isFaultName, setupName } from '../plan.ts'
import { failuresOf, seconds } from './goals.ts'
import { type Broken, type CaseResult, failureReasons, isPassed } from './results.ts'

const COLUMNS = [
  'drill',
  'verdict',
  'lost',
  'twice',
  'no good write for',
  'first good write after',
  'slowest',
  'failed writes',
  'failing for',
  'floor',
  'canary: lost, overlaps',
]

/** Returns the Markdown document. */
export function reportOf(results: readonly CaseResult[], broken: readonly Broken[] = []): string {
  const passed = results.filter(isPassed).length
  return [
    '# Drills on Kubernetes',
    '',
    `${passed} of ${results.length} as expected.`,
    ...broken.map(({ setup, why }) => `\n**${setup} was not judged**: ${why}`),
    '',
    row(COLUMNS),
    row(COLUMNS.map(() => '---')),
    ...results.map((result) => row(cellsOf(result))),
    '',
    '"No good write for": the longest time between two acknowledged writes after the fault. "Slowest": the longest',
    'acknowledged write. "Failed writes": refused, or of unknown outcome, by class; all were sent again and settled.',
    '"Failing for": from the fault to the start of the last of them. Floor: the shortest failover by the settings of Redis.',
    '',
    '## Goals',
    '',
    ...results.flatMap((result) =>
      result.goals.map(
        (goal) => `- ${goal.met ? 'met' : '**missed**'}: ${titleOf(result)}: ${goal.says} (${goal.seen})`,
      ),
    ),
    '',
    '## Proof that it happened',
    '',
    ...results.map((result) => `- ${titleOf(result)}: ${result.proof}`),
    ...results.filter((result) => !isPassed(result)).flatMap(failure),
    '',
  ].join('\n')
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** Returns the name of a case with its setup. */
export function titleOf({ setup, name }: CaseResult): string {
  return `${setupName(setup)}-${name}`
}

function cellsOf(result: CaseResult): readonly string[] {
  const { verdict, outage, canary, expected, isControl, floorMs } = result
  const mark = isPassed(result) ? '' : ' **✗**'
  return [
    titleOf(result),
    `${verdict.kind}${isControl ? ` (expected: ${expected})` : ''}${mark}`,
    examplesOf(result, 'nothing-lost'),
    examplesOf(result, 'stored-once'),
    seconds(outage.withoutGoodMs),
    outage.firstGoodMs === undefined ? 'never' : seconds(outage.firstGoodMs),
    seconds(outage.slowestMs),
    failuresOf(outage),
    seconds(outage.failingMs),
    floorMs === 0 ? '–' : seconds(floorMs),
    canary === undefined ? '–' : `${canary.writesLost}, ${canary.overlappingGrants}`,
  ]
}

function examplesOf({ verdict }: CaseResult, check: string): string {
  const finding = verdict.checks[check]
  if (finding === undefined || finding.kind === 'inconclusive') return '?'
  return String(finding.counterExamples.length)
}

function failure(result: CaseResult): readonly string[] {
  const what = isFaultName(result.name) ? FAULTS[result.name].summary : result.name
  return [
    '',
    `## ${titleOf(result)}`,
    '',
    `${what}.`,
    '',
    ...failureReasons(result).map((complaint) => `- ${complaint}`),
  ]
}
