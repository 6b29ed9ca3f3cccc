/** All items of a collection, a line each, in the order of their creation. */
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
  /** Default: 30 s without a byte. */
  readonly stallMs?: number
}

/**
 * Yields the export as bytes, whole lines or parts of them. When this ends without throwing the export is complete: the
 * answer is an export by its media type and its lines, it ended as HTTP says, and it has as many items as the service
 * counts in its trailer, unless a proxy took the trailer away.
 * @throws IngotError REMOTE_REFUSED, REMOTE_UNREACHABLE
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
      // whoever takes the bytes may be slow: only waiting for them counts
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

/** What says 200 need not be ingot: a login page or a proxy's own page does too. */
function checkHead({ headers }: IncomingMessage, { origin }: URL): void {
  const media = headers['content-type'] ?? 'without a content type'
  if (!/^application\/x-ndjson\s*(;|$)/i.test(media)) {
    throw new IngotError(
      'REMOTE_REFUSED',
      `${origin} sent no export but ${printableLine(media.slice(0, 100))}: is that the address of ingot, or of a login page or proxy before it?`,
    )
  }
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new IngotError(
      'REMOTE_REFUSED',
      `${origin} compressed the export, which was not asked for: correct the proxy`,
    )
  }
  if (headers['transfer-encoding'] === undefined && headers['content-length'] === undefined) {
    throw new IngotError(
      'REMOTE_REFUSED',
      `${origin} does not mark the end of its answer, so a part would look like the whole: let the proxy use HTTP/1.1`,
    )
  }
}
