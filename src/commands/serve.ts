/** `ingot serve`: runs the service from its start to the end of its last request. */

import type { Config } from '../config/schema.ts'
import { IngotError, reasonOf } from '../errors/error.ts'
import { loadServiceConfig } from '../service/config.ts'
import { storeLocation } from '../service/configured-store.ts'
import { createService } from '../service/service.ts'
import { untilAborted } from '../std/abort.ts'
import { durationOf } from '../std/duration.ts'
import { version } from '../std/version.ts'
import { endSpans } from '../telemetry/spans.ts'
import { defineCommand, EXIT, type Io } from './line/command.ts'

export const serve = defineCommand({
  help: `
Serves the HTTP API until Ctrl-C or SIGTERM. Then it stops accepting requests, finishes those in progress, and ends.
Settings come from the environment (INGOT_LISTEN, INGOT_DATA, ...) and from the JSON file that INGOT_CONFIG names.`,
  examples: ['ingot serve', 'INGOT_LISTEN=127.0.0.1:9000 INGOT_DATA=/var/lib/ingot ingot serve'],
  options: {},
  async run(_args, io) {
    const { clock, signal } = io
    const config = loadServiceConfig()
    if (config.otel === 'on') await startTraces()
    await using service = await createService(config, { clock, signal, version: version() })
    const { log } = service
    const url = await service.listen()
    greet(io, config, url)
    log.info({ url, store: storeLocation(config), pid: process.pid }, 'serving')
    await untilAborted(signal)
    service.leave()
    log.info({ delay: config.drainDelay }, 'leaving')
    await clock.sleep(durationOf(config.drainDelay))
    await service.drain(durationOf(config.drain))
    await endSpans(clock)
    return EXIT.fine
  },
})

/** Loads the SDK. Rejects with IngotError CONFIG_INVALID if it is not installed. */
async function startTraces(): Promise<void> {
  try {
    await import('../telemetry/otel.ts')
  } catch (cause) {
    throw new IngotError(
      'CONFIG_INVALID',
      `INGOT_OTEL is "on", and the SDK of OpenTelemetry cannot be loaded: ${reasonOf(cause)}; install the optional dependencies of ingot`,
      { cause },
    )
  }
}

function greet(io: Io, config: Config, url: string): void {
  io.stdout.write(`ingot serves ${url}, items are kept in ${storeLocation(config)}

Send a first item, and then the same again:
  curl -i ${url}/v1/collections/orders/items -H 'content-type: application/json' -d '{"order": 1, "total": 9.5}'

API: ${url}/openapi.json   Ctrl-C ends.
`)
}
