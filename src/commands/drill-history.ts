/** `ingot drill history`: merges the records of a run into one history. */
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRecorder, type Event, readHistory } from '../drill/history.ts'
import { mergeHistories } from '../drill/merge.ts'
import { convertFile } from '../drill/sources/k6/file.ts'
import { IngotError, reasonOf } from '../errors/error.ts'
import { defineCommand, EXIT, type Io, usageError } from './line/command.ts'

export const drillHistory = defineCommand({
  help: `
Converts the JSON output of \`k6 run --out json=FILE loadtests/ingest.ts\` (or its gzip) into a history for \`ingot
check\`. Each item is an operation. A time-out, a reset or a 5xx is an unknown outcome, never a loss. A run without
its end is marked as truncated, and everything that it may have sent has an unknown outcome.

--with merges other histories by time, such as those of the nemesis and the canary. All of them must have been
recorded on one machine, with its wall clock as tMono.`,
  examples: [
    'ingot drill history --k6 out/load.json --out out/history.ndjson',
    'ingot drill history --k6 out/load.json --with out/nemesis.ndjson,out/canary.ndjson --out out/history.ndjson',
  ],
  options: {
    k6: { type: 'string', value: 'FILE', summary: "k6's JSON output" },
    with: { type: 'string', value: 'FILES', summary: 'more histories, separated by commas' },
    out: { type: 'string', short: 'o', value: 'FILE', summary: 'the history to write', required: true },
  },
  async run({ values }, io) {
    const others = values.with === undefined ? [] : values.with.split(',')
    if (values.k6 === undefined && others.length === 0) throw usageError('nothing to convert: give --k6 or --with')
    const count = await writeComplete(values.out, (part) => write(part, values.k6, others, io))
    io.stderr.write(`${count} events\n`)
    return EXIT.fine
  },
})

/** Writes under a temporary name until the file is complete. */
async function writeComplete(path: string, make: (part: string) => Promise<number>): Promise<number> {
  const part = `${path}.part`
  try {
    const count = await make(part)
    rename(part, path)
    return count
  } catch (failure) {
    rmSync(part, { force: true })
    throw failure
  }
}

function rename(part: string, path: string): void {
  try {
    renameSync(part, path)
  } catch (cause) {
    throw new IngotError('OUTPUT_UNWRITABLE', `cannot write the history "${path}": ${reasonOf(cause)}`, { cause })
  }
}

async function write(part: string, k6: string | undefined, others: readonly string[], io: Io): Promise<number> {
  if (others.length === 0 && k6 !== undefined) return converted(k6, part, io)
  const folder = mkdtempSync(join(tmpdir(), 'ingot-history-'))
  try {
    const load = join(folder, 'load.ndjson')
    if (k6 !== undefined) await converted(k6, load, io)
    const paths = k6 === undefined ? others : [load, ...others]
    return merged(paths, part, io)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function converted(k6: string, out: string, { clock, signal }: Io): Promise<number> {
  using recorder = createRecorder(out, () => clock.wallMs())
  await convertFile(k6, recorder, signal)
  return recorder.count
}

function merged(paths: readonly string[], out: string, { clock }: Io): number {
  using recorder = createRecorder(out, () => clock.wallMs())
  const histories = paths.map((path) => readHistory(path).events)
  for (const event of tried(histories)) recorder.record(event)
  return recorder.count
}

function tried(histories: readonly (readonly Event[])[]): readonly Event[] {
  try {
    return mergeHistories(histories)
  } catch (thrown) {
    throw usageError(reasonOf(thrown))
  }
}
