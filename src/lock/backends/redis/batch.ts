/**
 * Joins calls of one turn of the event loop into one command, so that many locks acquired together cost one round trip,
 * one write and one script. A single call is not delayed.
 *
 * A call whose signal aborts resolves at once, regardless of its command.
 */

export interface Batcher<Q, A> {
  /** Never rejects. */
  readonly submit: (call: Q) => Promise<A>
}

interface Pending<Q, A> {
  readonly call: Q
  readonly resolve: (result: A | PromiseLike<A>) => void
}

type Batch<Q, A> = readonly Pending<Q, A>[]

/** A result may be a promise. It must not reject, because its caller may have given up already. */
type Results<A> = readonly (A | PromiseLike<A>)[]

export interface BatchOptions<Q, A> {
  /** Resolves with one result per call, in order. */
  readonly run: (calls: readonly Q[]) => Promise<Results<A>>
  /** Calls of different groups never share a command. */
  readonly groupOf: (call: Q) => number
  /** A call is not sent once its signal has aborted. */
  readonly signalOf: (call: Q) => AbortSignal
  /** The result of a call whose signal aborts first. */
  readonly aborted: (signal: AbortSignal) => A
  /** The result of each call of a batch whose command failed. */
  readonly failed: (reason: unknown) => A
  /** Returns true if the command was not sent because one of its calls was aborted. The others are then sent again. */
  readonly withheld: (reason: unknown) => boolean
  /** Largest batch. A script blocks the server for all clients. */
  readonly max: number
}

/** Its callbacks run at the end of the current turn. */
const TURN = Promise.resolve()

class TurnBatcher<Q, A> {
  readonly #options: BatchOptions<Q, A>
  #pending: Pending<Q, A>[] = []
  /** Running batches by signal. Each signal has one listener, however many calls share it. */
  readonly #watched = new WeakMap<AbortSignal, Set<Batch<Q, A>>>()
  #lastSignal: AbortSignal | undefined
  #lastWatch = new Set<Batch<Q, A>>()
  readonly #flush = (): void => this.#sendAll()

  constructor(options: BatchOptions<Q, A>) {
    this.#options = options
  }

  submit(call: Q): Promise<A> {
    return new Promise((resolve) => {
      // costs half of queueMicrotask, which creates an asynchronous context for each call
      if (this.#pending.length === 0) void TURN.then(this.#flush)
      this.#pending.push({ call, resolve })
    })
  }

  #sendAll(): void {
    const asked = this.#pending
    this.#pending = []
    const [first] = asked
    // most batches have one call and need no groups
    if (asked.length === 1 && first !== undefined) return this.#sendBatch(asked)
    const groups = new Map<number, Pending<Q, A>[]>()
    for (const p of asked) {
      const group = this.#options.groupOf(p.call)
      const batch = groups.get(group)
      if (batch === undefined) groups.set(group, [p])
      else batch.push(p)
    }
    const { max } = this.#options
    for (const batch of groups.values()) {
      for (let from = 0; from < batch.length; from += max) this.#sendBatch(batch.slice(from, from + max))
    }
  }

  #sendBatch(all: Batch<Q, A>): void {
    const batch: Pending<Q, A>[] = []
    const calls: Q[] = []
    for (const p of all) {
      if (this.#resolveIfAborted(p)) continue
      batch.push(p)
      calls.push(p.call)
    }
    if (batch.length === 0) return
    this.#watch(batch)
    this.#run(calls).then(
      (results) => this.#resolve(batch, results),
      (error: unknown) => this.#failOrRepeat(batch, error),
    )
  }

  #run(calls: readonly Q[]): Promise<Results<A>> {
    try {
      return this.#options.run(calls)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Terminates, because each repeated command omits at least one aborted call. */
  #failOrRepeat(batch: Batch<Q, A>, reason: unknown): void {
    const { withheld, signalOf } = this.#options
    if (!withheld(reason) || !batch.some(({ call }) => signalOf(call).aborted)) {
      return this.#fail(batch, reason)
    }
    this.#unwatch(batch)
    this.#sendBatch(batch)
  }

  #resolve(batch: Batch<Q, A>, results: Results<A>): void {
    if (results.length !== batch.length) {
      return this.#fail(batch, new Error(`${results.length} results to ${batch.length} calls`))
    }
    this.#unwatch(batch)
    let i = 0
    for (const result of results) batch[i++]?.resolve(result)
  }

  #fail(batch: Batch<Q, A>, reason: unknown): void {
    this.#unwatch(batch)
    for (const { resolve } of batch) resolve(this.#options.failed(reason))
  }

  #resolveIfAborted({ call, resolve }: Pending<Q, A>): boolean {
    const signal = this.#options.signalOf(call)
    if (signal.aborted) resolve(this.#options.aborted(signal))
    return signal.aborted
  }

  #watch(batch: Batch<Q, A>): void {
    for (const { call } of batch) this.#watchOf(this.#options.signalOf(call)).add(batch)
  }

  #unwatch(batch: Batch<Q, A>): void {
    for (const { call } of batch) this.#watchOf(this.#options.signalOf(call)).delete(batch)
  }

  #watchOf(signal: AbortSignal): Set<Batch<Q, A>> {
    // calls made together usually share a signal
    if (signal === this.#lastSignal) return this.#lastWatch
    const watch = this.#watched.get(signal) ?? this.#listen(signal)
    this.#lastSignal = signal
    this.#lastWatch = watch
    return watch
  }

  #listen(signal: AbortSignal): Set<Batch<Q, A>> {
    const watch = new Set<Batch<Q, A>>()
    this.#watched.set(signal, watch)
    const stop = (): void => {
      for (const batch of watch) for (const p of batch) this.#resolveIfAborted(p)
    }
    signal.addEventListener('abort', stop, { once: true })
    return watch
  }
}

export function createBatcher<Q, A>(options: BatchOptions<Q, A>): Batcher<Q, A> {
  const batcher = new TurnBatcher(options)
  return { submit: (call) => batcher.submit(call) }
}
