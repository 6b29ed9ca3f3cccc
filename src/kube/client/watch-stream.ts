/** The events of a watch: one JSON object a line. */
import { IngotError } from '../../errors/error.ts'
import { createLineSplitter } from '../../std/lines.ts'
import type { KubeObject } from './resource.ts'

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly status: number; readonly message: string; readonly retryAfterMs?: number }

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
  const { type, object } = parse(line)
  if (type === 'ERROR') return errorOf(object)
  const isEvent = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK'
  if (isEvent && isObject(object)) return { type, object }
  throw new IngotError('KUBE_UNAVAILABLE', `the watch sent an event that is none: ${line.slice(0, 100)}`)
}

function parse(line: string): { readonly type?: unknown; readonly object?: unknown } {
  try {
    return JSON.parse(line) as { readonly type?: unknown; readonly object?: unknown }
  } catch (cause) {
    throw new IngotError('KUBE_UNAVAILABLE', `the watch sent a line that is not JSON: ${line.slice(0, 100)}`, { cause })
  }
}

function isObject(value: unknown): value is KubeObject {
  return typeof value === 'object' && value !== null && 'metadata' in value
}

interface Status {
  readonly code?: number
  readonly message?: string
  readonly details?: { readonly retryAfterSeconds?: number }
}

function errorOf(object: unknown): WatchEvent {
  const { code = 500, message = 'the watch ended with an error', details } = (object ?? {}) as Status
  const seconds = details?.retryAfterSeconds
  const retry = seconds === undefined || seconds <= 0 ? {} : { retryAfterMs: seconds * 1_000 }
  return { type: 'ERROR', status: code, message, ...retry }
}
