/** Renders the report of a drill as JUnit XML: a test for each criterion, check and fault. Pure. */
import type { DrillReport } from '../model.ts'
import { remediesOf } from './figures.ts'

interface Case {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly why: string
  readonly more: string
}

/**
 * Returns the XML document. An inconclusive check and a fault without effect are errors of the verdict, so only a drill
 * with the verdict Pass has no failure: the test `verdict` fails otherwise.
 */
export function junitOfReport(report: DrillReport): string {
  const { drill, series } = report
  const cases = casesOf(report)
  const failed = cases.filter(({ outcome }) => outcome === 'failed').length
  const skipped = cases.filter(({ outcome }) => outcome === 'skipped').length
  const seconds = Math.max(0, Date.parse(drill.finishedAt) - Date.parse(drill.startedAt)) / 1_000 || 0
  const name = xml(`${drill.namespace}/${drill.name}`)
  const counts = `tests="${cases.length}" failures="${failed}" errors="0" skipped="${skipped}"`
  const at = `timestamp="${xml(drill.startedAt)}" time="${seconds.toFixed(1)}"`
  const head = `<testsuite name="${name}" ${counts} ${at}>`
  const load = `  <properties><property name="seconds of load" value="${series.acknowledged.length}"/></properties>\n`
  const body = cases.map((one) => testcase(name, one)).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${head}\n${load}${body}</testsuite>\n</testsuites>\n`
}

function casesOf(report: DrillReport): readonly Case[] {
  const { verdict, message, criteria, checks, faults } = report
  const advice = new Map(remediesOf(report).map((one) => [one.of, one]))
  const more = (name: string, rest: readonly string[] = []): string => [advice.get(name)?.advice, ...rest].join('\n')
  return [
    { name: 'verdict', outcome: verdict === 'Pass' ? 'passed' : 'failed', why: `${verdict}: ${message}`, more: '' },
    ...criteria.map(({ name, wanted, seen, met }): Case => {
      return {
        name: `criterion ${name}`,
        outcome: outcomeOf(met),
        why: `wanted ${wanted}, seen ${seen}`,
        more: more(name),
      }
    }),
    ...checks.map(({ name, kind, why, examples }): Case => {
      const outcome = kind === 'inconclusive' ? 'skipped' : outcomeOf(kind === 'valid')
      return { name: `check ${name}`, outcome, why: `${kind} ${why}`.trim(), more: more(name, examples) }
    }),
    ...faults.map(({ name, action, state, proof = '' }): Case => {
      return { name: `fault ${name}`, outcome: faultOutcome(state), why: `${action}: ${state}`, more: proof }
    }),
  ]
}

const outcomeOf = (isMet: boolean): Case['outcome'] => (isMet ? 'passed' : 'failed')

function faultOutcome(state: string): Case['outcome'] {
  return state === 'Proven' ? 'passed' : 'skipped'
}

function testcase(suite: string, { name, outcome, why, more }: Case): string {
  const head = `  <testcase classname="${suite}" name="${xml(name)}"`
  if (outcome === 'passed') return `${head}/>\n`
  if (outcome === 'skipped') return `${head}>\n    <skipped message="${xml(why)}"/>\n  </testcase>\n`
  return `${head}>\n    <failure message="${xml(why)}">${xml(more)}</failure>\n  </testcase>\n`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&#39;',
}

/** XML 1.0 cannot represent most control characters, surrogates without a pair, U+FFFE and U+FFFF. */
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

function xml(text: string): string {
  return text.replaceAll(FORBIDDEN, '?').replaceAll(/[<>&"']/g, (character) => ENTITIES[character] ?? character)
}
