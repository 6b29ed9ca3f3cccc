/** What the plugin prints about drills. Pure. */
import { cell, type Paint, type Tone, table } from '../paint.ts'
import type { DrillView, FaultView } from './drill.ts'

const TONES: Readonly<Record<string, Tone>> = { Pass: 'good', Fail: 'bad', Inconclusive: 'bold', Aborted: 'bold' }

const HEAD = ['NAME', 'RELEASE', 'SCENARIO', 'PHASE', 'VERDICT', 'LOST', 'NO WRITE FOR', 'AGE']

/** Returns a table with a row for each drill, or a sentence. */
export function listText(drills: readonly DrillView[], nowMs: number, namespace: string, paint: Paint): string {
  if (drills.length === 0) return `${paint(`there is no FailoverDrill in namespace ${namespace}`)}\n`
  const rows = drills.map((drill) => [
    cell(drill.name),
    cell(drill.release),
    cell(drill.scenario),
    cell(drill.phase || 'Pending'),
    cell(drill.verdict || '-', TONES[drill.verdict] ?? 'plain'),
    cell(drill.lost === undefined ? '-' : `${drill.lost} of ${drill.acknowledged ?? '?'}`),
    cell(drill.secondsWithoutWrite === undefined ? '-' : `${drill.secondsWithoutWrite.toFixed(1)} s`),
    cell(drill.createdMs === undefined ? '-' : ageText(nowMs - drill.createdMs)),
  ])
  return `${table([HEAD.map((one) => cell(one, 'dim')), ...rows], paint, 0).join('\n')}\n`
}

function ageText(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  if (minutes < 120) return `${minutes}m`
  return minutes < 2_880 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 1_440)}d`
}

/** Returns the lines about what changed between two states of a drill. `before` is undefined at the start. */
export function progressLines(before: DrillView | undefined, now: DrillView, paint: Paint): readonly string[] {
  const lines = [...phaseLines(before, now, paint)]
  for (const fault of now.faults) {
    const known = before?.faults.find(({ name }) => name === fault.name)
    if (known?.state !== fault.state && fault.state !== 'Pending') lines.push(faultLine(fault, paint))
  }
  return now.verdict !== '' && before?.verdict !== now.verdict ? [...lines, ...endLines(now, paint)] : lines
}

function phaseLines(
  before: DrillView | undefined,
  { phase, reason, message, verdict }: DrillView,
  paint: Paint,
): string[] {
  if (verdict !== '') return []
  const isNews = before === undefined || before.phase !== phase || before.reason !== reason
  const why = [reason, message].filter((part) => part !== '').join(': ')
  return isNews ? [`${paint((phase || 'Pending').padEnd(8), 'bold')} ${paint(why)}`.trimEnd()] : []
}

function faultLine({ name, action, state, proof }: FaultView, paint: Paint): string {
  const tone = state === 'Proven' ? 'good' : 'plain'
  return `         fault ${paint(name)} (${paint(action)}) ${paint(state, tone)}${proof === '' ? '' : `: ${paint(proof)}`}`
}

function endLines(drill: DrillView, paint: Paint): string[] {
  const { verdict, reason, message, lost, acknowledged, secondsWithoutWrite, report } = drill
  const figures = [
    lost === undefined ? '' : `${lost} of ${acknowledged ?? 'unknown'} acknowledged items lost`,
    secondsWithoutWrite === undefined ? '' : `${secondsWithoutWrite.toFixed(1)} s without a good write`,
  ].filter((figure) => figure !== '')
  return [
    `${paint(verdict, TONES[verdict] ?? 'plain')}: ${paint(message || reason)}`,
    ...(figures.length === 0 ? [] : [paint(figures.join(', '))]),
    ...(report === ''
      ? []
      : [paint(`report: kubectl ingot drill report ${drill.name} -n ${drill.namespace} --out report.html`)]),
  ]
}
