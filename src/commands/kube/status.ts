/** `kubectl ingot status`: the state of a release on one screen. */
import { pluginSettings } from '../../config/plugin.ts'
import { readFacts } from '../../inspect/read.ts'
import { statusReport } from '../../inspect/status/judge.ts'
import type { StatusReport } from '../../inspect/status/report.ts'
import { statusText } from '../../inspect/status/text.ts'
import { newsOf } from '../../inspect/status/watch.ts'
import { version } from '../../std/version.ts'
import { defineCommand, EXIT, type ExitCode, type Io } from '../line/command.ts'
import { tokenOf } from '../remote.ts'
import {
  isJson,
  OUTPUT_OPTION,
  paintFor,
  RELEASE_OPTIONS,
  type Session,
  withRelease,
  writeJson,
  writePainted,
} from './connect.ts'

const EVERY_MS = 2_000

export const status = defineCommand({
  help: `
Shows a release: the pods of the service with the circuit breaker of the locks, the items that wait and the locks, the
store, the primary of Redis, the replicas with their lag, Sentinels, slots, and the last failover. The roles are those
that the operator reports. Without an operator, the roles are those of the labels on the pods, if there are any.

A part that cannot be read is named, and the rest is shown. Exit code: 0 healthy, 1 degraded, 2 not readable.

--watch reads every 2 seconds until Ctrl-C. On a terminal it redraws the screen; otherwise it prints one block (with
-o json: one line) for each change.`,
  examples: ['kubectl ingot status', 'kubectl ingot status -n shop --watch', 'kubectl ingot status -n shop -o json'],
  failed: EXIT.usage,
  options: {
    ...RELEASE_OPTIONS,
    ...OUTPUT_OPTION,
    'token-file': {
      type: 'string',
      value: 'FILE',
      summary: "token for the API; default: INGOT_TOKEN, or that in the release's Secret",
    },
    watch: { type: 'boolean', short: 'w', summary: 'show changes until Ctrl-C' },
  },
  run({ values }, io) {
    const json = isJson(values.output)
    const token = tokenOf(values['token-file'])
    return withRelease(values, io, (session) => {
      const observed = { ...session, token }
      return values.watch ? watch(observed, io, json) : once(observed, io, json)
    })
  },
})

interface Observed extends Session {
  readonly token: string | undefined
}

const exitCodeOf = ({ healthy }: StatusReport): ExitCode => (healthy ? EXIT.fine : EXIT.failed)

async function once(session: Observed, io: Io, json: boolean): Promise<ExitCode> {
  const report = await reportOf(session, io)
  if (json) writeJson(io, report)
  else writePainted(io, statusText(report, paintFor(io)))
  return exitCodeOf(report)
}

async function reportOf(session: Observed, { clock, signal }: Io): Promise<StatusReport> {
  return statusReport(await readFacts({ ...session, version: version(), clock, depth: 'status', signal }))
}

/** Clears the screen from the top: the cursor goes home, then all below it is erased (ECMA-48). */
const REDRAW = '\u001B[H\u001B[J'

/** Resolves at Ctrl-C, with the exit code of the last report. */
async function watch(session: Observed, io: Io, json: boolean): Promise<ExitCode> {
  let shown = ''
  let last: StatusReport | undefined
  while (!io.stdout.destroyed) {
    const report = await unlessEnded(reportOf(session, io), io)
    if (report === undefined) break
    const news = newsOf(report)
    show(report, io, { json, isNews: news !== shown })
    shown = news
    last = report
    await unlessEnded(io.clock.sleep(EVERY_MS, io.signal), io)
    if (io.signal.aborted) break
  }
  return last === undefined ? EXIT.aborted : exitCodeOf(last)
}

/** Resolves with undefined if the wait ended by Ctrl-C. */
async function unlessEnded<T>(wait: Promise<T>, { signal }: Io): Promise<T | undefined> {
  try {
    return await wait
  } catch (failure) {
    if (signal.aborted) return undefined
    throw failure
  }
}

interface Showing {
  readonly json: boolean
  readonly isNews: boolean
}

function show(report: StatusReport, io: Io, { json, isNews }: Showing): void {
  if (json) {
    if (isNews) io.stdout.write(`${JSON.stringify(report)}\n`)
    return
  }
  const text = statusText(report, paintFor(io))
  if (io.stdout.isTTY === true && pluginSettings().cursor) writePainted(io, `${REDRAW}${text}`)
  else if (isNews) writePainted(io, `${text}\n`)
}
