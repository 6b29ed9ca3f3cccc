/**
 * Prints the tests of `npm test` and the drills of `npm run e2e` that failed, and then the last line of CI: the sum of
 * these tests, the drills and the steps of CI.
 */
import { readFileSync } from 'node:fs'

const [, , report, drills, passed, failed] = process.argv
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 }
try {
  counts = JSON.parse(readFileSync(report, 'utf8'))
} catch {
  // without a report, the step of the tests has failed and is counted as failed
}
for (const { name, assertionResults } of counts.testResults ?? []) {
  for (const { status, fullName, failureMessages } of assertionResults) {
    if (status === 'failed')
      console.log(`FAILED: ${name}: ${fullName}\n  ${failureMessages.join().split('\n', 8).join('\n  ')}`)
  }
}
let suite = { tests: 0, failures: 0 }
try {
  const xml = readFileSync(drills, 'utf8')
  const found = /<testsuite [^>]*tests="(\d+)" failures="(\d+)"/.exec(xml)
  for (const [, name, reasons] of xml.matchAll(/<testcase ([^>]*[^/])>\s*<failure ([\s\S]*?)<\/testcase>/g))
    console.log(`FAILED: drill ${name}\n  ${reasons.slice(0, 2_000)}`)
  if (found !== null) suite = { tests: Number(found[1]), failures: Number(found[2]) }
} catch {
  // as above
}
const allPassed = counts.numPassedTests + suite.tests - suite.failures + Number(passed)
const allFailed = counts.numFailedTests + suite.failures + Number(failed)
console.log(`${allPassed} passed, ${allFailed} failed, ${counts.numPendingTests} skipped`)
