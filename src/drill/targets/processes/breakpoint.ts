/**
 * Breakpoints: a process with fail points sends itself a signal when it reaches a point. A file with the name of the
 * point holds the signal; the process renames it to `NAME.met` when it reaches the point.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until, untilTrue } from '../../../std/until.ts'
import type { Breakpoint, BreakSignal } from './parts.ts'
import { proveFrozen } from './process.ts'

export interface BreakpointOptions {
  /** Folder that the process watches. */
  readonly folder: string
  readonly point: string
  readonly signalName: BreakSignal
  readonly pid: number
  /** Returns the signal that ended the process, or undefined while it runs. */
  readonly endedBy: () => string | undefined
}

/** Longest time until a signal ends a process that has reached the point, in milliseconds. */
const END_MS = 5_000

/** Creates the file of the breakpoint. */
export function armBreakpoint({ folder, point, signalName, pid, endedBy }: BreakpointOptions): Breakpoint {
  const file = join(folder, point)
  rmSync(`${file}.met`, { force: true })
  writeFileSync(file, signalName)
  const isReached = async (): Promise<boolean> => existsSync(`${file}.met`)
  return {
    async reached(withinMs, signal) {
      await untilTrue(`a request that reaches ${point}`, isReached, { withinMs, everyMs: 5, signal })
      return `at ${point}: ${await (signalName === 'SIGSTOP' ? proveFrozen(pid) : proveEnded(pid, endedBy))}`
    },
    disarm: () => rmSync(file, { force: true }),
  }
}

function proveEnded(pid: number, endedBy: () => string | undefined): Promise<string> {
  return until(
    async () => {
      const by = endedBy()
      return by === undefined
        ? { missing: `the end of process ${pid}, which has reached its breakpoint` }
        : { value: `process ${pid} ended by ${by}` }
    },
    { withinMs: END_MS, everyMs: 5 },
  )
}
