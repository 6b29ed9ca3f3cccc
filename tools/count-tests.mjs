/** Adds the steps of CI to the tests that the last `npm test` counted, and prints the closing line. */
import { readFileSync } from 'node:fs'

const [, , report, passed, failed] = process.argv
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 }
try {
  counts = JSON.parse(readFileSync(report, 'utf8'))
} catch {
  // without a report the step of the tests has failed, and is counted as that
}
const total = [counts.numPassedTests + Number(passed), counts.numFailedTests + Number(failed)]
console.log(`${total[0]} passed, ${total[1]} failed, ${counts.numPendingTests} skipped`)
