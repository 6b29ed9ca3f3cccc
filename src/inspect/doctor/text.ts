/** The report of `doctor` as text. Pure. */
import type { Paint } from '../paint.ts'
import type { Diagnosis } from './diagnosis.ts'

export function diagnosisText({ findings, notChecked, checked, namespace, release }: Diagnosis, paint: Paint): string {
  const found = findings.length === 1 ? '1 finding' : `${findings.length} findings`
  const open = notChecked.length === 0 ? '' : `, ${notChecked.length} checks could not run`
  const head = `${namespace}/${release}: ${found} in ${checked} checks${open}`
  const blocks = findings.flatMap(({ code, severity, subject, seen, remedy }) => [
    `${paint(severity.padEnd(8), severity === 'error' ? 'bad' : 'bold')} ${paint(code, 'bold')}  ${paint(subject)}`,
    `  seen    ${paint(seen)}`,
    `  remedy  ${paint(remedy)}`,
    '',
  ])
  const reasons = Map.groupBy(notChecked, ({ why }) => why)
  const unread = [...reasons].map(
    ([why, checks]) => `not checked  ${paint(checks.map(({ code }) => code).join(', '))}\n  because ${paint(why)}`,
  )
  return `${[paint(head, findings.length === 0 ? 'good' : 'bad'), '', ...blocks, ...unread].join('\n').trimEnd()}\n`
}
