/**
 * Reads what `strace -f -yy` wrote, and judges whether answers waited for the disk. Positions are lines of the trace:
 * strace writes a line when a call begins, and, when something else happens before its end, another one at its end. A
 * thread goes on only after strace has noted the end of its call, so what follows from a call stands below it.
 */

export interface SystemCall {
  readonly name: string
  /** What the file descriptor stands for, such as a path or `TCP:[...]`. */
  readonly target: string
  /** The arguments as strace prints them. */
  readonly text: string
  readonly begin: number
  readonly end: number
  readonly result: number
}

const UNFINISHED = ' <unfinished ...>'
const BEGIN = /^(\d+) +(\w+)\((.*)$/s
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)$/s
const TARGET = /^(?:\d+|AT_FDCWD)<(\w+:\[[^\]]*\]|[^>]*)>/
const RESULT = /\) += (-?\d+)[^"]*$/

/** A call of which only the beginning has been read. */
interface Begun {
  readonly name: string
  readonly begin: number
  readonly text: string
}

/** Calls that were begun and ended. A call that a kill cut short has no end, and is left out. */
export function parseTrace(trace: string): readonly SystemCall[] {
  /** By thread: it is in one call at a time. */
  const begun = new Map<string, Begun>()
  const calls: SystemCall[] = []
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread, name, rest] = BEGIN.exec(line) ?? RESUMED.exec(line) ?? []
    if (thread === undefined || name === undefined || rest === undefined) continue
    const before = RESUMED.test(line) ? begun.get(thread) : undefined
    const call = before === undefined ? { name, begin: at, text: rest } : { ...before, text: before.text + rest }
    if (call.text.endsWith(UNFINISHED)) begun.set(thread, { ...call, text: call.text.slice(0, -UNFINISHED.length) })
    else calls.push(...ended(call, at))
  }
  return calls
}

function ended(call: Begun, end: number): readonly SystemCall[] {
  const [, result] = RESULT.exec(call.text) ?? []
  const [, target = ''] = TARGET.exec(call.text) ?? []
  return result === undefined ? [] : [{ ...call, target, end, result: Number(result) }]
}

/** Something saved: `marker` stands in its content, `id` in its answer. */
export interface Saved {
  readonly what: string
  readonly marker: string
  readonly id: string
}

const WRITES = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'sendmsg', 'sendto'])
const SYNCS = new Set(['fsync', 'fdatasync'])

/** The log of an SQLite file. */
const isLog = (call: SystemCall): boolean => call.target.endsWith('.sqlite-wal')
const isSocket = (call: SystemCall): boolean => /^TCP(v6)?:/.test(call.target)
const writes = (call: SystemCall): boolean => WRITES.has(call.name) && call.result > 0
const syncs = (call: SystemCall): boolean => SYNCS.has(call.name) && call.result === 0

/** One sentence for each thing whose answer did not wait for the sync that follows its write. */
export function unsyncedAnswers(calls: readonly SystemCall[], saved: readonly Saved[]): readonly string[] {
  return saved.flatMap((one) => judge(calls, one) ?? [])
}

function answerThatNames(id: string, calls: readonly SystemCall[]): SystemCall | undefined {
  return calls.find((call) => isSocket(call) && writes(call) && call.text.includes(id))
}

function judge(calls: readonly SystemCall[], { what, marker, id }: Saved): string | undefined {
  const write = calls.find((call) => isLog(call) && writes(call) && call.text.includes(marker))
  const answer = answerThatNames(id, calls)
  if (write === undefined) return `${what}: no write of it to the log`
  if (answer === undefined) return `${what}: no answer that names it`
  if (answer.begin < write.end)
    return `${what}: answered (line ${answer.begin + 1}) before it was written (line ${write.end + 1})`
  const sync = calls.some((call) => isLog(call) && syncs(call) && call.begin > write.end && call.end < answer.begin)
  return sync
    ? undefined
    : `${what}: no sync of the log between its write (line ${write.end + 1}) and its answer (line ${answer.begin + 1})`
}

/** Whether the log was synced before the first answer that names `id`: what a dead process wrote may be in memory only. */
export function syncedBefore(calls: readonly SystemCall[], id: string): boolean {
  const answer = answerThatNames(id, calls)
  return answer !== undefined && calls.some((call) => isLog(call) && syncs(call) && call.end < answer.begin)
}

/** Folders that were synced before the first answer that names `id`. */
export function foldersSyncedBefore(calls: readonly SystemCall[], id: string): ReadonlySet<string> {
  const answer = answerThatNames(id, calls)
  if (answer === undefined) return new Set()
  return new Set(calls.filter((call) => syncs(call) && call.end < answer.begin).map((call) => call.target))
}
