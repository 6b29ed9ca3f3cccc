/** Stops and continues local processes, and reads their state from proc(5). */
import { readFileSync } from 'node:fs'
import { type Attempt, until } from '../../../std/until.ts'

/** Longest time until the kernel has stopped a process, in milliseconds. */
const STOP_MS = 2_000

/** Sends SIGSTOP. Throws if there is no such process. */
export function freezeProcess(pid: number): void {
  process.kill(pid, 'SIGSTOP')
}

/** Sends SIGCONT. Does nothing if the process is gone. */
export function thawProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // the process is gone
  }
}

/** Resolves with the state of the process once the kernel has stopped it. Rejects if it keeps running. */
export function proveFrozen(pid: number): Promise<string> {
  const read = async (): Promise<Attempt<string>> => {
    const state = stateOf(pid)
    const says = `process ${pid} is in state ${state}`
    return state?.startsWith('T') === true ? { value: says } : { missing: `a stopped process: ${says}` }
  }
  return until(read, { withinMs: STOP_MS, everyMs: 2 })
}

/** Returns the state, such as `T (stopped)`. Throws if there is no such process. */
function stateOf(pid: number): string | undefined {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return /^State:\s+(.+)$/m.exec(status)?.[1]
}
