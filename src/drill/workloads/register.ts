/**
 * The register workload: the holder of a lock reads a version and writes the next one, both under its fence, without
 * checking whether it still holds the lock. Only fences prevent lost updates, and only locks prevent refused ones.
 */
import type { Grant } from '../../lock/engine/grant.ts'
import type { Locker } from '../../lock/locker.ts'
import type { Clock } from '../../std/clock.ts'
import type { Random } from '../../std/random.ts'
import { type Entry, machineMs } from '../history.ts'

/** A value per key. Lookups and writes need a fence that is not lower than the highest earlier one. */
export interface FencedRegister {
  /** Returns the version, or 0 if nothing was written. Lower fences are refused from then on. */
  lookup(key: string, fence: bigint): number | 'stale'
  write(key: string, version: number, fence: bigint): 'written' | 'stale'
}

/** Parts and settings of the register workload. */
export interface RegisterWorkload {
  /** Name of the process in the history. */
  readonly process: string
  readonly keys: readonly string[]
  readonly locker: Locker
  readonly register: FencedRegister
  readonly random: Random
  readonly clock: Clock
  /** Resolves when the entry has left this process, so that an invocation is known before it has an effect. */
  readonly record: (entry: Entry) => Promise<void>
  /** Ends the workload. */
  readonly signal: AbortSignal
  /** Acquires the lock or rejects. Default: waits in line for up to 2 s. */
  readonly take?: (key: string) => Promise<Taken>
}

/** An acquired lock. */
export interface Taken {
  readonly grant: Grant
  /** Start of the attempt that was granted, in milliseconds of the machine's clock, if known. */
  readonly fromMono?: number
}

/** Longest wait for a lock, and longest time between lookup and write, in milliseconds. */
const WAIT_MS = 2_000
const THINK_MS = 80

/** Runs until the signal aborts. */
export async function runRegister(workload: RegisterWorkload): Promise<void> {
  for (let round = 1; !workload.signal.aborted; round++) {
    await holdOnce(workload, `${workload.process}-${round}`)
    await pause(workload, 20)
  }
}

async function holdOnce(workload: RegisterWorkload, op: string): Promise<void> {
  const { locker, random, record, signal } = workload
  const inLine = async (key: string): Promise<Taken> => ({
    grant: await locker.acquire(key, { waitMs: WAIT_MS, signal }),
  })
  const { take = inLine } = workload
  const key = random.pick(workload.keys)
  const base = { process: workload.process, op, f: 'acquire', key } as const
  await record({ ...base, type: 'invoke' })
  const taken = await take(key).catch((thrown: unknown) => String(thrown))
  // read immediately: until this moment no other client can have been granted the lock
  const tMono = machineMs()
  if (typeof taken === 'string') return record({ ...base, type: 'info', error: taken })
  const { grant, ...from } = taken
  await record({ ...base, ...from, type: 'ok', tMono, fence: String(grant.fence ?? 0n) })
  await work(workload, { op, grant, heldUntil: tMono })
}

interface Hold {
  readonly op: string
  readonly grant: Grant
  /** Last moment at which the lease was certainly valid, in milliseconds of the machine's clock. */
  heldUntil: number
}

async function work(workload: RegisterWorkload, hold: Hold): Promise<void> {
  const { grant, op } = hold
  const { record, random, process } = workload
  try {
    const version = await lookup(workload, hold)
    noteHeld(hold)
    await pause(workload, random.between(THINK_MS / 4, THINK_MS))
    if (version !== 'stale') await write(workload, hold, version + 1)
  } finally {
    noteHeld(hold)
    const release = { process, op, f: 'release', key: grant.key, type: 'info', untilMono: hold.heldUntil } as const
    await record(release)
    await grant.release()
  }
}

async function lookup({ process, record, register }: RegisterWorkload, { op, grant }: Hold): Promise<number | 'stale'> {
  const fence = grant.fence ?? 0n
  const base = { process, op, f: 'look', key: grant.key, fence: String(fence) } as const
  await record({ ...base, type: 'invoke' })
  try {
    const seen = register.lookup(grant.key, fence)
    await record(seen === 'stale' ? { ...base, type: 'fail', result: seen } : { ...base, type: 'ok', value: `${seen}` })
    return seen
  } catch (thrown) {
    await record({ ...base, type: 'info', error: String(thrown) })
    return 'stale'
  }
}

/**
 * Updates `heldUntil`. The clock is read before the lease, so a process that is stopped in between records too short a
 * hold, and never too long a one.
 */
function noteHeld(hold: Hold): void {
  const now = machineMs()
  if (hold.grant.isHeld()) hold.heldUntil = now
}

async function write(workload: RegisterWorkload, { op, grant }: Hold, version: number): Promise<void> {
  const { process, record, register } = workload
  const fence = grant.fence ?? 0n
  const base = { process, op, f: 'write', key: grant.key, value: String(version), fence: String(fence) } as const
  await record({ ...base, type: 'invoke' })
  try {
    const outcome = register.write(grant.key, version, fence)
    await record({ ...base, type: outcome === 'written' ? 'ok' : 'fail', result: outcome })
  } catch (thrown) {
    await record({ ...base, type: 'info', error: String(thrown) })
  }
}

async function pause({ clock, signal }: RegisterWorkload, ms: number): Promise<void> {
  // the caller checks the signal
  await clock.sleep(ms, signal).catch(() => {})
}
