/** Exports all items of a collection, one per line, in order of creation. */
import type { IncomingMessage } from 'node:http'
import { IngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'
import { printableLine } from '../std/printable.ts'
import { chunksOf, connect, type Service } from './connection.ts'
import { createExportCheck } from './export-check.ts'

export interface ExportOptions {
  readonly service: Service
  readonly collection: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Longest time without a byte, in milliseconds. Default: 30000. */
  readonly stallMs?: number
}

/**
 * Yields the export in chunks of bytes. If the generator ends without throwing, the export is complete: its media type
 * and lines are those of an export, HTTP marked its end, and it has as many items as the trailer says, unless a proxy
 * removed the trailer. Throws IngotError REMOTE_REFUSED and REMOTE_UNREACHABLE.
 */
export async function* exportItems(options: ExportOptions): AsyncGenerator<Buffer> {
  const { service, collection, clock, stallMs = 30_000 } = options
  const connection = connect(service, {
    method: 'GET',
    path: `/v1/collections/${encodeURIComponent(collection)}/items`,
    headers: { accept: 'application/x-ndjson' },
  })
  connection.request.end()
  const stalled = new AbortController()
  const silent = new IngotError('REMOTE_UNREACHABLE', `the service sent nothing for ${stallMs / 1_000} s`)
  const watch = () => clock.timer(stallMs, () => stalled.abort(silent))
  const signal = AbortSignal.any([options.signal, stalled.signal])
  let timer = watch()
  try {
    const response = await connection.response(signal)
    checkHead(response, service.url)
    const check = createExportCheck(service.url.origin)
    for await (const chunk of chunksOf(response, { url: service.url, signal })) {
      // the consumer may be slow: only the wait for bytes counts
      timer.cancel()
      check.push(chunk)
      yield chunk
      timer = watch()
    }
    check.end(response.trailers[COUNT_TRAILER])
  } catch (failure) {
    throw signal.aborted ? signal.reason : failure
  } finally {
    timer.cancel()
    connection.close()
  }
}

const COUNT_TRAILER = 'ingot-items'

/** Refuses a response with status 200 that is not from ingot, such as a login page or the page of a proxy. */
function checkHead({ headers }: IncomingMessage, { origin }: URL): void {
  const media = headers['content-type'] ?? 'without a content type'
  if (!/^application\/x-ndjson\s*(;|$)/i.test(media)) {
    throw new IngotError(
      'REMOTE_REFUSED',
      `${origin} sent no export but ${printableLine(media.slice(0, 100))}: check that this is the address of ingot, and not of a login page or proxy in front of it`,
    )
  }
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new IngotError(
      'REMOTE_REFUSED',
      `${origin} compressed the export, although the request did not allow it: correct the proxy`,
    )
  }
  if (headers['transfer-encoding'] === undefined && headers['content-length'] === undefined) {
    throw new IngotError(
      'REMOTE_REFUSED',
      `${origin} does not mark the end of its response, so a part would look complete: let the proxy use HTTP/1.1`,
    )
  }
}
