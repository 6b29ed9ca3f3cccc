/** Renders a verdict as text: one line per promise, then counter-examples with their operations. */
import type { Finding, Verdict } from '../checkers/verdict.ts'
import type { Event } from '../history.ts'

/** Maximum number of counter-examples shown per promise, and of operations shown per counter-example. */
const MAX_EXAMPLES = 3
const MAX_EVENTS = 24

/** Returns the text. */
export function reportOf({ kind, checks }: Verdict): string {
  const lines = Object.entries(checks).map(([name, finding]) => lineOf(name, finding))
  const examples = Object.entries(checks).flatMap(([name, { counterExamples }]) =>
    counterExamples
      .slice(0, MAX_EXAMPLES)
      .map(({ says, events }) => `\n${name}: ${says}\n${events.slice(-MAX_EVENTS).map(eventLine).join('')}`),
  )
  return `${lines.join('')}${examples.join('')}${kind}\n`
}

function lineOf(name: string, { kind, why, counterExamples, figures }: Finding): string {
  const counted = Object.entries(figures).map(([what, count]) => `${what} ${count}`)
  const examples = counterExamples.length === 0 ? [] : [`counter-examples ${counterExamples.length}`]
  const rest = [why, ...examples, ...counted].filter((text) => text !== '').join(', ')
  return `${name.padEnd(17)}${kind.padEnd(14)}${rest}\n`
}

function eventLine(event: Event): string {
  const { seq, process, op, f, type, tMono, to = '', result = '', value = '', fence = '', error = '' } = event
  const parts = [seq, `${tMono.toFixed(1)} ms`, process, op, f, type, to, result, value, fence, error]
  return `  ${parts.filter((part) => part !== '').join(' ')}\n`
}
