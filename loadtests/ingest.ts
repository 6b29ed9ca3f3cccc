/**
 * Items at an open rate: single, in batches and in streams, many of them sent by two virtual users at once or again
 * later. At the end everything is sent once more, so that no outcome stays unknown.
 *
 *   k6 run --out json=out/load.json -e BASE_URL=http://127.0.0.1:18080 -e RATE=50 -e DURATION=60s loadtests/ingest.ts
 *   npx ingot drill history --k6 out/load.json --out out/history.ndjson
 *
 * Settings (lib/settings.ts): BASE_URL, RATE, DURATION, RUN, COLLECTION, TOKEN, TIMEOUT, PHASES, P99, ERRORS, PARTS.
 */
import { arrive, begin, finish, optionsOf, type Start, settleChunk } from './lib/load.ts'
import { settingsOf } from './lib/settings.ts'

const settings = settingsOf(__ENV, { rate: 50, durationMs: 60_000 })

export const options = optionsOf(settings)

// one name for all virtual users: where none is given each would make its own
export function setup(): Start & { readonly run: string } {
  return { ...begin(settings), run: settings.run }
}

type Shared = ReturnType<typeof setup>

export function even(shared: Shared): void {
  arrive({ ...settings, run: shared.run }, shared, 0)
}

export function odd(shared: Shared): void {
  arrive({ ...settings, run: shared.run }, shared, 1)
}

export function settle(shared: Shared): void {
  settleChunk({ ...settings, run: shared.run })
}

export function teardown(): void {
  finish()
}
