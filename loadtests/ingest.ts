/**
 * Sends items at an open rate: single, in batches and in streams. Two virtual users send many of them concurrently, or again
 * later. At the end everything is sent once more, so that no outcome stays unknown.
 *
 *   k6 run --out json=out/load.json -e BASE_URL=http://127.0.0.1:18080 -e RATE=50 -e DURATION=60s loadtests/ingest.ts
 *   npx ingot drill history --k6 out/load.json --out out/history.ndjson
 *
 * Settings (lib/settings.ts): BASE_URL, RATE, DURATION, RUN, COLLECTION, TOKEN, TIMEOUT, PHASES, P99, ERRORS, PARTS.
 */
import { loadTest } from './lib/load.ts'
import { settingsOf } from './lib/settings.ts'

const test = loadTest(settingsOf(__ENV, { rate: 50, durationMs: 60_000 }))

export const { options, setup, even, odd, settle, teardown } = test
