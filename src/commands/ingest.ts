/** `ingot ingest`: sends a file of items to a running service, and retries when the connection breaks. */
import type { LineFailure } from '../client/answers.ts'
import { createFeed, type Feed } from '../client/feed.ts'
import { createIngestRun, type IngestRun, type IngestState } from '../client/ingest.ts'
import { openFile, openStream, type Source } from '../client/source.ts'
import { toIngotError } from '../errors/error.ts'
import { type Amounts, bar, countsText, createPace, sentence } from './ingest-figures.ts'
import {
  type Arguments,
  defineCommand,
  durationOption,
  EXIT,
  type ExitCode,
  type Io,
  usageError,
  type Values,
} from './line/command.ts'
import { grouped, NO_PROGRESS, type Progress, startProgress } from './line/progress.ts'
import { compileOnMainThread } from './line/v8.ts'
import { serviceOf, TOKEN_OPTION } from './remote.ts'
import { createRetryNotes } from './retry-notes.ts'

const OPTIONS = {
  to: { type: 'string', value: 'URL', summary: 'address of the service', required: true },
  collection: { type: 'string', short: 'c', value: 'NAME', summary: 'collection that gets the items', required: true },
  ...TOKEN_OPTION,
  'retry-for': {
    type: 'string',
    value: 'TIME',
    summary: 'how long to retry after the connection broke, such as 30s or 5m',
    default: '60s',
  },
  quiet: { type: 'boolean', short: 'q', summary: 'show only failed lines and the summary' },
  json: { type: 'boolean', summary: 'the summary as one JSON object on stdout' },
} as const

/** Maximum number of failed lines that are shown. The others are counted. */
const SHOWN_FAILURES = 20

export const ingest = defineCommand({
  positionals: ['FILE'],
  help: `
Sends FILE, with one JSON item per line (NDJSON), to a service. It reports how many lines were created, were
duplicates (the collection already has that content), or failed, with the reason. FILE may be compressed with gzip; -
reads standard input. The file may have any size: it is never completely in memory.

When the connection breaks or the service restarts, ingest reconnects and continues at the first line without a
result. A line that was saved without a result then counts as a duplicate. It is safe to run ingest twice.

Exit code 1 if a line failed or the retry time ran out, 4 after Ctrl-C; both report the progress so far.`,
  examples: [
    'ingot ingest examples/debian-packages/sources.ndjson --to http://127.0.0.1:8080 --collection sources',
    'zcat big.ndjson.gz | ingot ingest - --to https://ingot.example --collection orders --token-file token.txt',
  ],
  options: OPTIONS,
  run: runIngest,
})

interface Work {
  readonly io: Io
  readonly values: Values<typeof OPTIONS>
  readonly feed: Feed
  readonly run: IngestRun
  readonly progress: Progress
  readonly failures: readonly LineFailure[]
  readonly startedMs: number
}

async function runIngest({ values, positionals }: Arguments<typeof OPTIONS>, io: Io): Promise<ExitCode> {
  compileOnMainThread()
  const [file = '-'] = positionals
  const service = serviceOf('to', values.to, values['token-file'])
  const retryForMs = durationOption('retry-for', values['retry-for'])
  const source = await open(file, io)
  const feed = createFeed(source)
  const failures: LineFailure[] = []
  const notes = createRetryNotes(io.clock, retryForMs)
  const run: IngestRun = createIngestRun(feed, {
    service,
    collection: values.collection,
    clock: io.clock,
    signal: io.signal,
    retryForMs,
    onFailure: (failure) => void (failures.length < SHOWN_FAILURES && failures.push(failure)),
    onRetry: ({ message }) => {
      const note = notes.retrying(message, run.state.items)
      if (note !== undefined) progress.note(`${note}, going on at line ${grouped(run.state.line + 1)}`)
    },
  })
  const waiting = (): string | undefined => notes.waiting(run.state.items)
  const progress = values.quiet ? NO_PROGRESS : show(io, () => amountsOf(run.state, feed, source), waiting)
  return finish({ io, values, feed, run, progress, failures, startedMs: io.clock.monotonicMs() })
}

/** Opens the file. A missing file is a usage error, not a failed ingest. */
async function open(file: string, io: Io): Promise<Source> {
  if (file === '-') return openStream(io.stdin, 'standard input')
  return openFile(file).catch((failure: unknown) => {
    throw usageError(toIngotError(failure).message)
  })
}

function show(io: Io, amounts: () => Amounts, waiting: () => string | undefined): Progress {
  const pace = createPace(io.clock)
  return startProgress({
    output: io.stderr,
    clock: io.clock,
    line(columns) {
      const away = waiting()
      if (away !== undefined) return columns === undefined ? undefined : away.slice(0, columns - 1)
      const now = amounts()
      return columns === undefined ? sentence(now, pace.look(now)) : bar(now, pace.look(now), columns)
    },
  })
}

function amountsOf(state: IngestState, feed: Feed, { totalBytes }: Source): Amounts {
  const { created, duplicate, failed } = state
  const amounts = { created, duplicate, failed, doneBytes: feed.answeredBytes }
  return totalBytes === undefined ? amounts : { ...amounts, totalBytes }
}

async function finish(work: Work): Promise<ExitCode> {
  const { run, progress, io, values } = work
  try {
    await run.finish()
  } catch (failure) {
    progress.stop()
    if (run.state.items > 0 || values.json) report(work, false)
    io.stderr.write(`${io.signal.aborted ? 'aborted' : 'ended'} after line ${grouped(run.state.line)}\n`)
    throw failure
  }
  progress.stop()
  report(work, true)
  return run.state.failed === 0 ? EXIT.fine : EXIT.failed
}

function report(work: Work, complete: boolean): void {
  const { io, values, run, startedMs, failures } = work
  showFailures(io, failures, run.state.failed)
  const seconds = (io.clock.monotonicMs() - startedMs) / 1_000
  const text = values.json ? summaryJson(run.state, seconds, complete) : summaryText(run.state, seconds)
  io.stdout.write(`${text}\n`)
}

function showFailures({ stderr }: Io, failures: readonly LineFailure[], failed: number): void {
  for (const { line, code, detail } of failures) stderr.write(`line ${line}: ${code}: ${detail}\n`)
  if (failed > failures.length) stderr.write(`... and ${grouped(failed - failures.length)} more failed lines\n`)
}

function summaryJson({ line, items, created, duplicate, failed }: IngestState, seconds: number, complete: boolean) {
  const shown = Math.round(seconds * 1_000) / 1_000
  return JSON.stringify({ complete, items, created, duplicate, failed, answeredLines: line, seconds: shown })
}

function summaryText(state: IngestState, seconds: number): string {
  const rate = seconds === 0 ? 0 : Math.round(state.items / seconds)
  return `${grouped(state.items)} items: ${countsText(state)} (${seconds.toFixed(1)} s, ${grouped(rate)}/s)`
}
