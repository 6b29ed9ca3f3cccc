/** The descendants of a process, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** Returns the process ids of all descendants, parents first. Returns none on a system without /proc. */
export function descendantsOf(pid: number): readonly number[] {
  const children = Map.groupBy(processes(), ({ parent }) => parent)
  const found: number[] = []
  const pending = [pid]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const own = (children.get(at) ?? []).map((child) => child.pid)
    found.push(...own)
    pending.push(...own)
  }
  return found
}

function processes(): readonly { readonly pid: number; readonly parent: number }[] {
  return entries().flatMap((name) => {
    const parent = /^\d+$/.test(name) ? parentOf(name) : undefined
    return parent === undefined ? [] : [{ pid: Number(name), parent }]
  })
}

function entries(): readonly string[] {
  try {
    return readdirSync('/proc')
  } catch {
    return []
  }
}

/** The name of a program, in parentheses, may contain anything. State and parent follow it. Source: proc_pid_stat(5). */
function parentOf(name: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    // it has ended
    return undefined
  }
}
