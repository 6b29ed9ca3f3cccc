/** Lints the OpenAPI document that the service serves. Prints every problem, and fails if there is one. */
import { execFileSync } from 'node:child_process'
import { createConfig, lintFromString } from '@redocly/openapi-core'

const source = execFileSync(process.execPath, ['src/cli.ts', 'openapi'], { encoding: 'utf8' })
const config = await createConfig({ extends: ['recommended-strict'] })
const problems = await lintFromString({ source, absoluteRef: 'openapi.json', config })
for (const { severity, ruleId, message, location } of problems) {
  console.error(`${severity} ${ruleId} at ${location[0]?.pointer ?? '#'}: ${message}`)
}
console.log(`openapi: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
