/** Renders results as JUnit XML, which every CI shows. Pure. */
import { setupName } from '../plan.ts'
import { type Broken, type CaseResult, failureReasons, isPassed } from './results.ts'

/** Returns the XML document. */
export function junitOf(results: readonly CaseResult[], broken: readonly Broken[] = []): string {
  const failed = results.filter((result) => !isPassed(result)).length + broken.length
  const tests = results.length + broken.length
  const seconds = results.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1_000
  const head = `<testsuite name="e2e" tests="${tests}" failures="${failed}" time="${seconds.toFixed(1)}">`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${head}\n${results.map(testcase).join('')}${broken.map(stopped).join('')}</testsuite>\n`
}

function testcase(result: CaseResult): string {
  const { setup, name, tookMs } = result
  const head = `  <testcase classname="${setupName(setup)}" name="${escape(name)}" time="${(tookMs / 1_000).toFixed(1)}"`
  if (isPassed(result)) return `${head}/>\n`
  const [first = 'failed', ...rest] = failureReasons(result)
  return `${head}>\n    <failure message="${escape(first)}">${escape([first, ...rest].join('\n'))}</failure>\n  </testcase>\n`
}

function stopped({ setup, why }: Broken): string {
  return `  <testcase classname="${escape(setup)}" name="run">\n    <failure message="${escape(why)}"/>\n  </testcase>\n`
}

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' }

function escape(text: string): string {
  // XML cannot represent most control characters
  const printable = text.replaceAll(/[^\t\n\r -￿]/gu, '?')
  return printable.replaceAll(/[<>&"]/g, (character) => ENTITIES[character] ?? character)
}
