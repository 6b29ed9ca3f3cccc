/** Leaves samples in k6's JSON output, by which `ingot drill history` knows item by item what happened. */
import exec from 'k6/execution'
import { Counter } from 'k6/metrics'
import { METRIC, type Sample } from '../../src/drill/sources/k6/sample.ts'

const counter = new Counter(METRIC)

/** At once: what is under way when k6 is killed is known to have begun. */
export function record(sample: Sample): void {
  const { metadata } = exec.vu.metrics
  Object.assign(metadata, sample)
  counter.add(1)
  // they would go with every other sample of this virtual user
  for (const name of Object.keys(sample)) delete metadata[name]
}
