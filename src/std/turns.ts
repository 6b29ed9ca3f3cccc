/**
 * Shares the event loop among callers whose work is synchronous. In one turn of the loop work up to a budget is let
 * through; the rest waits for the next turns, in order. So no burst of work keeps timers, connections and health checks
 * waiting for longer than one budget of work, however many callers bring it at once.
 */

export interface Turns {
  /**
   * Returns undefined if work of that cost may start now, else a promise that resolves in the turn in which it may.
   * Work that exceeds the budget on its own gets a turn of its own.
   */
  enter(cost: number): Promise<void> | undefined
}

interface Waiting {
  readonly cost: number
  readonly start: () => void
}

/** `nextTurn` calls back after the input and output of this turn. Default: setImmediate. */
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
