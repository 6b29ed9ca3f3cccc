/** Converts k6's output file into a history file line by line, because either may be larger than memory. */
import { openFile } from '../../../client/source.ts'
import { createLineSplitter } from '../../../std/lines.ts'
import type { Recorder } from '../../history.ts'
import { createConverter, type Timed } from './convert.ts'

/** Longest sample of the load test: a batch of responses. */
const MAX_LINE_BYTES = 16 * 1_024 * 1_024

/** Resolves when every line is converted. Rejects with IngotError INPUT_UNREADABLE, or with the signal's reason. */
export async function convertFile(
  path: string,
  recorder: Pick<Recorder, 'record'>,
  signal: AbortSignal,
): Promise<void> {
  const converter = createConverter()
  const note = (entries: readonly Timed[]): void => entries.forEach((entry) => void recorder.record(entry))
  const splitter = createLineSplitter(MAX_LINE_BYTES)
  for await (const chunk of (await openFile(path)).chunks) {
    signal.throwIfAborted()
    for (const { bytes, line } of splitter.push(chunk)) note(converter.line(bytes.toString('utf8'), line))
  }
  // the text after the last line feed is incomplete
  note(converter.end())
}
