/**
 * Standard output and standard error as commands get them. Strings are text for people: control characters in them
 * are escaped, wherever they came from. Bytes are written as they are.
 *
 * A reader that leaves (`ingot ... | head`) does not end the command: what follows is dropped, and the exit code still
 * says what became of the work.
 */
import { Writable } from 'node:stream'
import { printable } from '../../std/printable.ts'
import type { Output } from './command.ts'

/** The stream is destroyed when nothing can be written any more. */
export function createOutput(raw: NodeJS.WriteStream): Output {
  // errors arrive at the callback of each write as well
  raw.on('error', () => {})
  const output = new Writable({
    decodeStrings: false,
    write(chunk: unknown, _encoding, done) {
      raw.write(typeof chunk === 'string' ? printable(chunk) : bytesOf(chunk), done)
    },
  })
  // without a listener an error would end the process
  output.on('error', () => {})
  return Object.defineProperties(output, {
    isTTY: { get: () => raw.isTTY },
    columns: { get: () => raw.columns },
  })
}

function bytesOf(chunk: unknown): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk))
}

/** Whether the output failed because its reader has left. */
export function isReaderGone(failure: NodeJS.ErrnoException | null): boolean {
  return failure?.code === 'EPIPE'
}

/** Waits until all that was written has left; resolves with the failure when some of it never will. */
export function flushed(output: Output): Promise<NodeJS.ErrnoException | null> {
  if (output.destroyed) return Promise.resolve(output.errored)
  return new Promise((resolve) => {
    output.once('error', resolve)
    output.write('', (failure) => resolve(failure ?? null))
  })
}

/** Waits for room. Resolves as well when there will be none, because the output failed. */
export async function drained(output: Output, signal: AbortSignal): Promise<void> {
  if (output.destroyed || !output.writableNeedDrain) return
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abort = (): void => reject(signal.reason)
  output.once('drain', resolve).once('close', resolve)
  signal.addEventListener('abort', abort)
  try {
    signal.throwIfAborted()
    await promise
  } finally {
    output.off('drain', resolve).off('close', resolve)
    signal.removeEventListener('abort', abort)
  }
}
