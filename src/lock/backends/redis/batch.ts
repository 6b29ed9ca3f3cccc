/**
 * Joins calls that are made in the same turn of the event loop into one command, so that many locks taken together
 * cost one round trip, one write and one script. A call that is alone is sent as soon as it would have been.
 *
 * A call whose signal aborts is answered at once, whatever becomes of its command.
 */

export interface Batcher<Q, A> {
  /** Never rejects. */
  readonly submit: (question: Q) => Promise<A>
}

interface Pending<Q, A> {
  readonly question: Q
  readonly resolve: (answer: A | PromiseLike<A>) => void
}

type Batch<Q, A> = readonly Pending<Q, A>[]

/** An answer may be still to come; what is to come must not reject, for nobody may be waiting any more. */
type Answers<A> = readonly (A | PromiseLike<A>)[]

export interface BatchOptions<Q, A> {
  /** Answers in the order of the questions, one each. */
  readonly run: (questions: readonly Q[]) => Promise<Answers<A>>
  /** Questions of different groups never share a command. */
  readonly groupOf: (question: Q) => number
  /** A question is not sent once its signal has aborted. */
  readonly signalOf: (question: Q) => AbortSignal
  /** The answer when the signal aborts first. */
  readonly givenUp: (signal: AbortSignal) => A
  /** The answer to each question of a batch whose command failed. */
  readonly failed: (reason: unknown) => A
  /** Whether the command was withheld because a question of it was given up: the others are then asked anew. */
  readonly withheld: (reason: unknown) => boolean
  /** A script blocks the server for everybody: no more than this at once. */
  readonly max: number
}

/** What is done after it is done at the end of this turn. */
const TURN = Promise.resolve()

class TurnBatcher<Q, A> {
  readonly #options: BatchOptions<Q, A>
  #pending: Pending<Q, A>[] = []
  /** Batches under way whose answers the signal may forestall. It is heard once, however many calls share it. */
  readonly #watched = new WeakMap<AbortSignal, Set<Batch<Q, A>>>()
  #lastSignal: AbortSignal | undefined
  #lastWatch = new Set<Batch<Q, A>>()
  readonly #flush = (): void => this.#send()

  constructor(options: BatchOptions<Q, A>) {
    this.#options = options
  }

  submit(question: Q): Promise<A> {
    return new Promise((resolve) => {
      // at half the price of queueMicrotask, which makes an asynchronous context for each
      if (this.#pending.length === 0) void TURN.then(this.#flush)
      this.#pending.push({ question, resolve })
    })
  }

  #send(): void {
    const asked = this.#pending
    this.#pending = []
    const [first] = asked
    // most calls are alone: no groups to make
    if (asked.length === 1 && first !== undefined) return this.#ask(asked)
    const groups = new Map<number, Pending<Q, A>[]>()
    for (const p of asked) {
      const group = this.#options.groupOf(p.question)
      const batch = groups.get(group)
      if (batch === undefined) groups.set(group, [p])
      else batch.push(p)
    }
    const { max } = this.#options
    for (const batch of groups.values()) {
      for (let from = 0; from < batch.length; from += max) this.#ask(batch.slice(from, from + max))
    }
  }

  #ask(all: Batch<Q, A>): void {
    const batch: Pending<Q, A>[] = []
    const questions: Q[] = []
    for (const p of all) {
      if (this.#isGivenUp(p)) continue
      batch.push(p)
      questions.push(p.question)
    }
    if (batch.length === 0) return
    this.#watch(batch)
    this.#run(questions).then(
      (answers) => this.#answer(batch, answers),
      (error: unknown) => this.#failOrRepeat(batch, error),
    )
  }

  #run(questions: readonly Q[]): Promise<Answers<A>> {
    try {
      return this.#options.run(questions)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** A repeated command is smaller by the questions that were given up, so this ends. */
  #failOrRepeat(batch: Batch<Q, A>, reason: unknown): void {
    const { withheld, signalOf } = this.#options
    if (!withheld(reason) || !batch.some(({ question }) => signalOf(question).aborted)) {
      return this.#fail(batch, reason)
    }
    this.#unwatch(batch)
    this.#ask(batch)
  }

  #answer(batch: Batch<Q, A>, answers: Answers<A>): void {
    if (answers.length !== batch.length) {
      return this.#fail(batch, new Error(`${answers.length} answers to ${batch.length} questions`))
    }
    this.#unwatch(batch)
    let i = 0
    for (const answer of answers) batch[i++]?.resolve(answer)
  }

  #fail(batch: Batch<Q, A>, reason: unknown): void {
    this.#unwatch(batch)
    for (const { resolve } of batch) resolve(this.#options.failed(reason))
  }

  #isGivenUp({ question, resolve }: Pending<Q, A>): boolean {
    const signal = this.#options.signalOf(question)
    if (signal.aborted) resolve(this.#options.givenUp(signal))
    return signal.aborted
  }

  #watch(batch: Batch<Q, A>): void {
    for (const { question } of batch) this.#watchOf(this.#options.signalOf(question)).add(batch)
  }

  #unwatch(batch: Batch<Q, A>): void {
    for (const { question } of batch) this.#watchOf(this.#options.signalOf(question)).delete(batch)
  }

  #watchOf(signal: AbortSignal): Set<Batch<Q, A>> {
    // calls made together mostly share their signal
    if (signal === this.#lastSignal) return this.#lastWatch
    const watch = this.#watched.get(signal) ?? this.#hear(signal)
    this.#lastSignal = signal
    this.#lastWatch = watch
    return watch
  }

  #hear(signal: AbortSignal): Set<Batch<Q, A>> {
    const watch = new Set<Batch<Q, A>>()
    this.#watched.set(signal, watch)
    const stop = (): void => {
      for (const batch of watch) for (const p of batch) this.#isGivenUp(p)
    }
    signal.addEventListener('abort', stop, { once: true })
    return watch
  }
}

export function createBatcher<Q, A>(options: BatchOptions<Q, A>): Batcher<Q, A> {
  const batcher = new TurnBatcher(options)
  return { submit: (question) => batcher.submit(question) }
}
