/**
 * Shares the event loop among callers with synchronous work. Each turn of the loop admits work up to a budget; the rest
 * waits for later turns, in order. So a burst of work never delays timers, connections and health checks for longer
 * than one budget of work, however many callers bring it at once.
 */

export interface Turns {
  /**
   * Returns undefined if work of that cost may start now. Otherwise returns a promise that resolves in the turn in
   * which it may start. Work that exceeds the budget gets its own turn.
   */
  enter(cost: number): Promise<void> | undefined
}

interface Waiting {
  readonly cost: number
  readonly start: () => void
}

/** Returns the scheduler. `nextTurn` calls back after the I/O of this turn. Default: setImmediate. */
export function createTurns(budget: number, nextTurn: (callback: () => void) => void = setImmediate): Turns {
  const queue: Waiting[] = []
  let spent = 0
  let planned = false

  function spend(cost: number): void {
    spent += cost
    if (planned) return
    planned = true
    nextTurn(() => {
      planned = false
      spent = 0
      for (let head = queue[0]; head !== undefined && fits(head.cost); head = queue[0]) {
        queue.shift()
        spend(head.cost)
        head.start()
      }
    })
  }

  function fits(cost: number): boolean {
    return spent === 0 || spent + cost <= budget
  }

  return {
    enter(cost) {
      if (queue.length > 0 || !fits(cost)) return new Promise((start) => queue.push({ cost, start }))
      spend(cost)
      return undefined
    },
  }
}
