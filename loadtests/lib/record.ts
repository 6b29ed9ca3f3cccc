/** Writes samples to the JSON output of k6. `ingot drill history` reads the outcome of each item from them. */
import exec from 'k6/execution'
import { Counter } from 'k6/metrics'
import { METRIC, type Sample } from '../../src/drill/sources/k6/sample.ts'

const counter = new Counter(METRIC)

/** Written at once, so that requests in progress are recorded when k6 is killed. */
export function record(sample: Sample): void {
  const { metadata } = exec.vu.metrics
  Object.assign(metadata, sample)
  counter.add(1)
  // otherwise every later sample of this virtual user would have these tags
  for (const name of Object.keys(sample)) delete metadata[name]
}
