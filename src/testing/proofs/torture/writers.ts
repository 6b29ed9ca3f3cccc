/** The processes of the register workload, and a fault on them that stops a holder past the end of its lease. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import { type Entry, type Event, machineMs } from '../../../drill/history.ts'
import { freezeProcess, proveFrozen, thawProcess } from '../../../drill/targets/processes/process.ts'
import { systemClock } from '../../../std/clock.ts'
import type { Random } from '../../../std/random.ts'
import { forkTestProgram, reap } from '../../locks/processes.ts'
import { within } from '../../service.ts'

export interface WritersOptions {
  readonly count: number
  readonly lockUrl: string
  readonly fencesUrl: string
  readonly registerFile: string
  readonly ttlMs: number
  readonly random: Random
  readonly record: (entry: Entry) => Event
  readonly failpoints: readonly string[]
}

/** The running processes of the register workload. */
export interface Writers extends AsyncDisposable {
  /** Resolves when every process works. Rejects if one does not start. */
  readonly ready: Promise<void>
  /** Stops a holder between its lookup and its write until another process holds the lock. */
  readonly holderStop: FaultInjection
  /** Ends the workload. Resolves when every process has reported its last event. */
  end(): Promise<void>
}

const READY_MS = 20_000
const END_MS = 8_000
const LOOKUP_MS = 5_000
/** Number of attempts. On a busy machine a holder may have written before it is stopped. */
const STOP_ATTEMPTS = 4

interface HolderStop {
  /** The process that is stopped. */
  child: ChildProcess | undefined
  /** The process that acquired the lock, and the time. */
  says: string
}

/** Starts the processes. */
export function startWriters(options: WritersOptions): Writers {
  const listeners = new Set<(event: Event, child: ChildProcess) => void>()
  const children = Array.from({ length: options.count }, (_, index) => startWriter(options, index + 1, listeners))

  /** Resolves with the next event for which `fits` returns true, and its process. */
  function next(fits: (event: Event) => boolean, ms: number): Promise<readonly [Event, ChildProcess]> {
    const { promise, resolve } = Promise.withResolvers<readonly [Event, ChildProcess]>()
    const listener = (event: Event, child: ChildProcess): void => {
      if (fits(event)) resolve([event, child])
    }
    listeners.add(listener)
    const found = within(promise, ms, () => `no such event within ${ms} ms`)
    return found.finally(() => listeners.delete(listener))
  }

  /** Last operation of each process that has requested a write. */
  const lastWrite = new Map<string, string>()
  listeners.add(({ f, process, op }) => void (f === 'write' && lastWrite.set(process, op)))

  /** Stops a holder after its lookup. Resolves with false if it requested a write before it was stopped. */
  async function stopHolder(stop: HolderStop): Promise<boolean> {
    const [lookup, child] = await next(({ f, type }) => f === 'look' && type === 'ok', LOOKUP_MS)
    stop.child = child
    freezeProcess(child.pid ?? 0)
    // waits for the lookup of the next holder and not for its grant: from then on the register has the higher fence
    const [taken] = await next(
      ({ f, type, key, process }) => f === 'look' && type === 'ok' && key === lookup.key && process !== lookup.process,
      options.ttlMs * 6,
    )
    const ms = Math.round(machineMs() - lookup.tMono)
    stop.says = `${taken.process} held the lock of ${lookup.process} on ${lookup.key} after ${ms} ms`
    return lastWrite.get(lookup.process) !== lookup.op
  }

  async function resume(stop: HolderStop): Promise<void> {
    const { child } = stop
    stop.child = undefined
    if (child === undefined) return
    thawProcess(child.pid ?? 0)
    // the holder continues while the other process holds the lock
    await systemClock.sleep(options.ttlMs / 2)
  }

  const holderStop: FaultInjection = {
    name: 'holder-stop',
    prepare() {
      const stop: HolderStop = { child: undefined, says: '' }
      return {
        async inject(signal) {
          for (let attempt = 0; attempt < STOP_ATTEMPTS; attempt++) {
            signal.throwIfAborted()
            if (await stopHolder(stop)) return
            await resume(stop)
          }
          throw new Error(`no holder was stopped between its lookup and its write in ${STOP_ATTEMPTS} attempts`)
        },
        prove: async () => `${await proveFrozen(stop.child?.pid ?? 0)}; ${stop.says}`,
        undo: () => resume(stop),
      }
    },
  }

  return {
    ready: Promise.all(children.map(begun)).then(() => {}),
    holderStop,
    async end() {
      for (const child of children) {
        thawProcess(child.pid ?? 0)
        if (child.connected) child.send('end')
      }
      await Promise.all(children.map((child) => gone(child)))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map(reap))
    },
  }
}

function startWriter(
  options: WritersOptions,
  number: number,
  listeners: ReadonlySet<(event: Event, child: ChildProcess) => void>,
): ChildProcess {
  const { lockUrl, fencesUrl, registerFile, ttlMs, random, record, failpoints } = options
  const seed = random.between(0, 2 ** 31)
  const args = [`writer-${number}`, lockUrl, fencesUrl, registerFile, seed, ttlMs].map(String)
  const child = forkTestProgram('proofs/torture/register-peer.ts', args, { INGOT_FAILPOINTS: failpoints.join(',') }, [
    '--conditions=failpoints',
  ])
  child.on('message', (entry: Entry) => {
    const event = record(entry)
    for (const listener of listeners) listener(event, child)
  })
  return child
}

async function begun(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(() => {
    throw new Error(`writer ${child.pid} ended at its start`)
  })
  // an end after the start is expected
  ended.catch(() => {})
  await within(Promise.race([once(child, 'message'), ended]), READY_MS, () => `writer ${child.pid} did not begin`)
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await within(once(child, 'exit'), END_MS, () => `writer ${child.pid} did not end within ${END_MS} ms`)
}
