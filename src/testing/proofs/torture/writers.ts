/** The processes of the register workload, and the fault that is theirs: a holder that is stopped past its lease. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import { type Entry, type Event, machineMs } from '../../../drill/history.ts'
import type { Random } from '../../../std/random.ts'
import { forkTestProgram, reap } from '../../locks/processes.ts'
import { within } from '../../service.ts'
import { freeze, thaw } from './processes.ts'

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

export interface Writers extends AsyncDisposable {
  /** Resolves when every process has begun its work; rejects when one cannot. */
  readonly ready: Promise<void>
  /** Stops a holder between its look and its write until another holds the key. */
  readonly holderStop: FaultInjection
  /** Ends the workload; resolves when every process has told all. */
  end(): Promise<void>
}

const READY_MS = 20_000
const END_MS = 8_000
/** On a busy machine a holder may have gone on before it is stopped. */
const STOP_ATTEMPTS = 4

export function startWriters(options: WritersOptions): Writers {
  const listeners = new Set<(event: Event, child: ChildProcess) => void>()
  const children = Array.from({ length: options.count }, (_, index) => startWriter(options, index + 1, listeners))

  /** Resolves with the first event that fits, and its process. */
  function next(fits: (event: Event) => boolean, ms: number): Promise<readonly [Event, ChildProcess]> {
    const { promise, resolve } = Promise.withResolvers<readonly [Event, ChildProcess]>()
    const listener = (event: Event, child: ChildProcess): void => {
      if (fits(event)) resolve([event, child])
    }
    listeners.add(listener)
    const found = within(promise, ms, () => `no such event within ${ms} ms`)
    return found.finally(() => listeners.delete(listener))
  }

  /** The last operation of each process that asked to write. */
  const lastWrite = new Map<string, string>()
  listeners.add(({ f, process, op }) => void (f === 'write' && lastWrite.set(process, op)))

  /** `undefined` when it had already asked to write before it was stopped. */
  async function stopOnce(): Promise<string | undefined> {
    const [look, child] = await next(({ f, type }) => f === 'look' && type === 'ok', 5_000)
    try {
      const state = await freeze(child.pid ?? 0)
      // its look, not its grant: from then on the register knows the higher fence
      const [taken] = await next(
        ({ f, type, key, process }) => f === 'look' && type === 'ok' && key === look.key && process !== look.process,
        options.ttlMs * 6,
      )
      if (lastWrite.get(look.process) === look.op) return undefined
      const ms = Math.round(machineMs() - look.tMono)
      return `${look.process}, holder of ${look.key}: ${state}; ${taken.process} held the lock after ${ms} ms`
    } finally {
      thaw(child.pid ?? 0)
      // it wakes while the other one holds
      await sleep(options.ttlMs / 2)
    }
  }

  async function stopHolder(): Promise<string> {
    for (let attempt = 0; attempt < STOP_ATTEMPTS; attempt++) {
      const proof = await stopOnce()
      if (proof !== undefined) return proof
    }
    throw new Error(`no holder was stopped between its look and its write in ${STOP_ATTEMPTS} attempts`)
  }

  return {
    ready: Promise.all(children.map(begun)).then(() => {}),
    holderStop: { name: 'holder-stop', inject: stopHolder },
    async end() {
      for (const child of children) {
        thaw(child.pid ?? 0)
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
  // who ends later ends as it should
  ended.catch(() => {})
  await within(Promise.race([once(child, 'message'), ended]), READY_MS, () => `writer ${child.pid} did not begin`)
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await within(once(child, 'exit'), END_MS, () => `writer ${child.pid} did not end within ${END_MS} ms`)
}
