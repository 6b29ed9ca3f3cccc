/** The service's side of a store thread. Each call sends a message, and the response settles its promise. */
import { Worker } from 'node:worker_threads'
import { IngotError } from '../../../errors/error.ts'
import type { Method, Methods, Response } from './protocol.ts'
import type { StoreThreadData } from './worker.ts'

export interface StoreThread {
  /** `transfer`: buffers whose memory moves to the thread. */
  call<M extends Method>(
    method: M,
    args: Methods[M]['args'],
    transfer?: readonly ArrayBuffer[],
  ): Promise<Methods[M]['result']>
  /** Waits for running calls, then ends the thread. */
  close(): Promise<void>
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: IngotError) => void
}

/** Resolves when the thread has opened the file. Rejects with the IngotError of the failed open. */
export async function startStoreThread(data: StoreThreadData): Promise<StoreThread> {
  const worker = new Worker(new URL(workerFile(), import.meta.url), {
    workerData: data,
    // a batch is a few megabytes, so a larger young space would stay unused
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  })
  const waiting = new Map<number, Waiting>()
  let lost: IngotError | undefined
  let seq = 0

  function settle(response: Response): void {
    const waiter = waiting.get(response.seq)
    waiting.delete(response.seq)
    if (response.ok) waiter?.resolve(response.value)
    else waiter?.reject(new IngotError(response.code, response.message))
  }

  function lose(cause: unknown): void {
    lost ??= new IngotError('STORE_UNAVAILABLE', `the store's ${data.role} thread ended`, { cause })
    for (const waiter of waiting.values()) waiter.reject(lost)
    waiting.clear()
  }

  worker.on('message', settle)
  worker.on('error', lose)
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      lose(`exit code ${code}`)
      resolve()
    })
  })

  function expectResponse(number: number): Promise<unknown> {
    return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }))
  }

  async function call<M extends Method>(
    method: M,
    args: Methods[M]['args'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Methods[M]['result']> {
    if (lost !== undefined) throw lost
    const number = ++seq
    const response = expectResponse(number)
    worker.postMessage({ seq: number, method, args }, [...transfer])
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the thread's results have the types of Methods
    return (await response) as Methods[M]['result']
  }

  await expectResponse(0)
  return {
    call,
    async close() {
      if (lost === undefined) await call('close', {})
      await ended
    },
  }
}

/** Returns the worker's file name. It has the extension of this file, which runs as source and as build output. */
function workerFile(): string {
  return import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js'
}
