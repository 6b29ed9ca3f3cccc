/**
 * Runs the load of ingest.ts at a low rate for an hour. All phases have the same limits, so growth, leaks and slowdowns fail
 * the run.
 *
 *   k6 run --out json=out/soak.json -e BASE_URL=http://127.0.0.1:18080 loadtests/soak.ts
 */
import { loadTest } from './lib/load.ts'
import { settingsOf } from './lib/settings.ts'

const PHASES = 'warmup:5m,first:15m,second:15m,third:15m,last'

const test = loadTest(settingsOf({ PHASES, ...__ENV }, { rate: 20, durationMs: 3_600_000 }))

export const { options, setup, even, odd, settle, teardown } = test
