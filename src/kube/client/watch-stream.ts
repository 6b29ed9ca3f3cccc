/** The events of a watch: one JSON object a line. */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { IngotError } from '../../errors/error.ts'
import { createLineSplitter } from '../../std/lines.ts'
import { isKubeObject, jsonOf, type KubeObject } from './resource.ts'

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly status: number; readonly message: string; readonly retryAfterMs?: number }

const STATUS = Type.Object({
  code: Type.Optional(Type.Number()),
  message: Type.Optional(Type.String()),
  details: Type.Optional(Type.Object({ retryAfterSeconds: Type.Optional(Type.Number()) })),
})
type Status = Static<typeof STATUS>
const ERROR_EVENT = Type.Object({ type: Type.Literal('ERROR'), object: STATUS })
const EVENT = Type.Object({ type: Type.Enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']), object: Type.Unknown() })

/** etcd stores at most 1.5 MiB an object; its JSON may be longer. */
const MAX_LINE_BYTES = 8 * 1024 * 1024

/**
 * Yields each event. Rejects with KUBE_UNAVAILABLE for a line that is not an event or is too long. A last line without
 * its end is left out: the connection broke within it.
 */
export async function* readWatch(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent> {
  const lines = createLineSplitter(MAX_LINE_BYTES)
  for await (const chunk of chunks) {
    for (const { bytes, tooLong } of lines.push(chunk)) {
      if (tooLong)
        throw new IngotError('KUBE_UNAVAILABLE', `an event of the watch is longer than ${MAX_LINE_BYTES} bytes`)
      if (bytes.length > 0) yield eventOf(bytes.toString())
    }
  }
}

function eventOf(line: string): WatchEvent {
  const event = jsonOf(line)
  if (Value.Check(ERROR_EVENT, event)) return errorOf(event.object)
  if (Value.Check(EVENT, event) && isKubeObject(event.object)) return { type: event.type, object: event.object }
  throw new IngotError('KUBE_UNAVAILABLE', `the watch sent a line that is not an event: ${line.slice(0, 100)}`)
}

function errorOf({ code = 500, message = 'the watch ended with an error', details }: Status): WatchEvent {
  const seconds = details?.retryAfterSeconds ?? 0
  return { type: 'ERROR', status: code, message, ...(seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {}) }
}
