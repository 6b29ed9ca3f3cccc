/**
 * Reads the output of `strace -f -yy`, and judges whether responses waited for the disk. Positions are lines of the
 * trace: strace writes a line when a call begins, and another one at its end if something else happens in between. A
 * thread continues only after strace has written the end of its call, so every consequence of a call follows it in the
 * trace.
 */

/** A system call that ended. */
export interface SystemCall {
  readonly name: string
  /** Target of the file descriptor, such as a path or `TCP:[...]`. */
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

/** A call whose end has not been read yet. */
interface Begun {
  readonly name: string
  readonly begin: number
  readonly text: string
}

/** Returns the calls that began and ended. A call that a kill cut off has no end, and is left out. */
export function parseTrace(trace: string): readonly SystemCall[] {
  /** Calls by thread. A thread is in one call at a time. */
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

/** A saved item: `marker` is in its content, `id` in its response. */
export interface Saved {
  readonly what: string
  readonly marker: string
  readonly id: string
}

const WRITES = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'sendmsg', 'sendto'])
const SYNCS = new Set(['fsync', 'fdatasync'])

/** Returns true for the log of an SQLite file. */
const isLog = (call: SystemCall): boolean => call.target.endsWith('.sqlite-wal')
const isSocket = (call: SystemCall): boolean => /^TCP(v6)?:/.test(call.target)
const writes = (call: SystemCall): boolean => WRITES.has(call.name) && call.result > 0
const syncs = (call: SystemCall): boolean => SYNCS.has(call.name) && call.result === 0

/** Returns one sentence for each item whose response did not wait for the sync after its write. */
export function unsyncedResponses(calls: readonly SystemCall[], saved: readonly Saved[]): readonly string[] {
  return saved.flatMap((one) => judge(calls, one) ?? [])
}

function responseWithId(id: string, calls: readonly SystemCall[]): SystemCall | undefined {
  return calls.find((call) => isSocket(call) && writes(call) && call.text.includes(id))
}

function judge(calls: readonly SystemCall[], { what, marker, id }: Saved): string | undefined {
  const write = calls.find((call) => isLog(call) && writes(call) && call.text.includes(marker))
  const response = responseWithId(id, calls)
  if (write === undefined) return `${what}: no write of it to the log`
  if (response === undefined) return `${what}: no response with its id`
  if (response.begin < write.end)
    return `${what}: response (line ${response.begin + 1}) before its write (line ${write.end + 1})`
  const sync = calls.some((call) => isLog(call) && syncs(call) && call.begin > write.end && call.end < response.begin)
  return sync
    ? undefined
    : `${what}: no sync of the log between its write (line ${write.end + 1}) and its response (line ${response.begin + 1})`
}

/**
 * Returns true if the log was synced before the first response with `id`. Writes of a dead process may be in memory
 * only.
 */
export function syncedBefore(calls: readonly SystemCall[], id: string): boolean {
  const response = responseWithId(id, calls)
  return response !== undefined && calls.some((call) => isLog(call) && syncs(call) && call.end < response.begin)
}

/** Returns the folders that were synced before the first response with `id`. */
export function foldersSyncedBefore(calls: readonly SystemCall[], id: string): ReadonlySet<string> {
  const response = responseWithId(id, calls)
  if (response === undefined) return new Set()
  return new Set(calls.filter((call) => syncs(call) && call.end < response.begin).map((call) => call.target))
}
