/** All items of a collection, a line each, in the order of their creation. */
import type { Clock } from '../std/clock.ts'
import { Fault } from '../std/fault.ts'
import { chunksOf, connect, type Service } from './connection.ts'

export interface ExportOptions {
  readonly service: Service
  readonly collection: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Default: 30 s without a byte. */
  readonly stallMs?: number
}

/**
 * The export as bytes. When this ends without throwing it was complete: a service that stops midway does not end its
 * answer properly, which shows as a broken connection.
 * @throws Fault REMOTE_REFUSED, REMOTE_UNREACHABLE
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
  const silent = new Fault('REMOTE_UNREACHABLE', `the service sent nothing for ${stallMs / 1_000} s`)
  const watch = () => clock.timer(stallMs, () => stalled.abort(silent))
  const signal = AbortSignal.any([options.signal, stalled.signal])
  let timer = watch()
  try {
    const response = await connection.response(signal)
    for await (const chunk of chunksOf(response, { url: service.url, signal })) {
      // whoever takes the bytes may be slow: only waiting for them counts
      timer.cancel()
      yield chunk
      timer = watch()
    }
  } catch (failure) {
    throw signal.aborted ? signal.reason : failure
  } finally {
    timer.cancel()
    connection.close()
  }
}
