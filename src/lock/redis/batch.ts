/**
 * Joins calls that are made in the same turn of the event loop into one command, so that many locks taken together
 * cost one round trip, one write and one script. A call that is alone is sent as soon as it would have been.
 */

export interface Batcher<Q, A> {
  /** Rejects with what the command of its batch rejected with. */
  readonly submit: (question: Q) => Promise<A>
}

interface Pending<Q, A> {
  readonly question: Q
  readonly resolve: (answer: A) => void
  readonly reject: (reason: unknown) => void
}

export interface BatchOptions<Q, A> {
  /** Answers in the order of the questions, one each. */
  readonly run: (questions: readonly Q[]) => Promise<readonly A[]>
  /** Questions of different groups never share a command. */
  readonly groupOf: (question: Q) => number
  /** Whether the question is still asked when its turn comes; one that is not is dropped, its promise never settles. */
  readonly wanted: (question: Q) => boolean
  /** A script blocks the server for everybody: no more than this at once. */
  readonly max: number
}

export function createBatcher<Q, A>({ run, groupOf, wanted, max }: BatchOptions<Q, A>): Batcher<Q, A> {
  let pending: Pending<Q, A>[] = []

  async function send(batch: readonly Pending<Q, A>[]): Promise<void> {
    try {
      const answers = await run(batch.map((p) => p.question))
      if (answers.length !== batch.length) throw new Error(`${answers.length} answers to ${batch.length} questions`)
      answers.forEach((answer, i) => batch[i]?.resolve(answer))
    } catch (error) {
      for (const p of batch) p.reject(error)
    }
  }

  function flush(): void {
    const asked = pending.filter((p) => wanted(p.question))
    pending = []
    // most calls are alone: no groups to make
    if (asked.length === 1) {
      void send(asked)
      return
    }
    const groups = new Map<number, Pending<Q, A>[]>()
    for (const p of asked) {
      const group = groupOf(p.question)
      const batch = groups.get(group)
      if (batch === undefined) groups.set(group, [p])
      else batch.push(p)
    }
    for (const batch of groups.values()) {
      // it settles the promises of its batch, whatever happens
      for (let from = 0; from < batch.length; from += max) void send(batch.slice(from, from + max))
    }
  }

  return {
    submit: (question) =>
      new Promise((resolve, reject) => {
        if (pending.length === 0) queueMicrotask(flush)
        pending.push({ question, resolve, reject })
      }),
  }
}
