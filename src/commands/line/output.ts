/**
 * Standard output and standard error for commands. Strings are text for people: their control characters are escaped,
 * whatever their origin. Bytes are written unchanged.
 *
 * A reader that closes the pipe (`ingot ... | head`) does not end the command. Later output is dropped, and the exit
 * code still reports the outcome of the work.
 */
import { Writable } from 'node:stream'
import { printable } from '../../std/printable.ts'
import type { Output } from './command.ts'

/** Returns the output. The stream is destroyed when writing has become impossible. */
export function createOutput(raw: NodeJS.WriteStream): Output {
  // the callback of each write reports errors as well
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

/** Returns true if the output failed because its reader closed the pipe. */
export function isReaderGone(failure: NodeJS.ErrnoException | null): boolean {
  return failure?.code === 'EPIPE'
}

/** Waits until all output is written. Resolves with the error if some of it could not be written. */
export function flushed(output: Output): Promise<NodeJS.ErrnoException | null> {
  if (output.destroyed) return Promise.resolve(output.errored)
  return new Promise((resolve) => {
    output.once('error', resolve)
    output.write('', (failure) => resolve(failure ?? null))
  })
}

/** Waits until more can be written. Also resolves if the output failed. */
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
