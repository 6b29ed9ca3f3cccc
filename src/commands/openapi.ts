/** `ingot openapi`: prints the description of the HTTP API, as the service serves it. */

import { IngotError } from '../errors/error.ts'
import { openAccess } from '../http/access.ts'
import { buildApp } from '../http/app.ts'
import { createEventFeed } from '../http/events/feed.ts'
import { createRecentItems } from '../items/freshness/recent-ids.ts'
import { createGroupCommit } from '../items/pipeline/group-commit.ts'
import { createIngest } from '../items/pipeline/ingest.ts'
import { createMemoryStore } from '../items/stores/memory/store.ts'
import { silentLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { defineCommand, EXIT, type Io } from './line/command.ts'

export const openapi = defineCommand({
  help: `
Prints the OpenAPI 3.1 document of the HTTP API as JSON, without starting a service. A running one serves the same at
/openapi.json.`,
  examples: ['ingot openapi > openapi.json'],
  options: {},
  async run(_args, io) {
    const app = await idleApp(io)
    try {
      const { statusCode, body } = await app.inject({ url: '/openapi.json' })
      if (statusCode !== 200) throw new IngotError('INTERNAL', `the document has status ${statusCode}`)
      io.stdout.write(`${JSON.stringify(JSON.parse(body), undefined, 2)}\n`)
      return EXIT.fine
    } finally {
      await app.close()
    }
  },
})

/** Builds the app without a working store. It never listens. */
function idleApp({ clock, signal }: Io) {
  const store = createMemoryStore()
  const commit = createGroupCommit({ store, clock, maxPendingItems: 1, maxPendingBytes: 1 })
  const ingest = createIngest({ store, commit, recent: createRecentItems(1) }, { maxDepth: 1 })
  return buildApp(
    {
      ingest,
      store,
      purger: { wake: () => {} },
      clock,
      authenticate: openAccess,
      events: createEventFeed(clock),
      status: () => Promise.reject(new IngotError('INTERNAL', 'this app only describes itself')),
      onStoreCheck: () => {},
      log: silentLog,
      metrics: createMetrics(),
      leaving: signal,
      draining: signal,
    },
    {
      maxItemBytes: 1,
      maxBatchBytes: 1,
      maxBatchItems: 1,
      idempotencyTtlMs: 1,
      maxReceivingBytes: 1,
      bodyIdleMs: 1,
      bodyTimeMs: 1,
      readStallMs: 1,
    },
  )
}
