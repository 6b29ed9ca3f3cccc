/** Signals of the process, for commands. */
import type { Clock } from '../../std/clock.ts'
import { EXIT, type Io } from './command.ts'

/**
 * One Ctrl-C may arrive twice: the terminal signals every process of its foreground group, and a parent such as npm
 * forwards its own signal. Repetitions within this time count as the same key press, in milliseconds.
 */
const SAME_PRESS_MS = 500

const ENDING = ['SIGINT', 'SIGTERM'] as const

/** Listens from now on. The first SIGINT or SIGTERM aborts `signal`, the next one ends the process at once. */
export function createProcessSignals(clock: Clock): Pick<Io, 'signal' | 'takeSignals'> {
  const controller = new AbortController()
  let firstMs = 0
  const end = (name: NodeJS.Signals): void => {
    const nowMs = clock.monotonicMs()
    if (!controller.signal.aborted) {
      firstMs = nowMs
      controller.abort(new DOMException(`ended by ${name}`, 'AbortError'))
    } else if (nowMs - firstMs > SAME_PRESS_MS) process.exit(EXIT.aborted)
  }
  for (const name of ENDING) process.on(name, end)
  return {
    signal: controller.signal,
    takeSignals(names, listener) {
      const taken = ENDING.filter((name) => names.includes(name))
      // the new listener first: without one, a signal would end the process
      for (const name of names) process.on(name, listener)
      for (const name of taken) process.off(name, end)
      return {
        [Symbol.dispose]() {
          for (const name of taken) process.on(name, end)
          for (const name of names) process.off(name, listener)
        },
      }
    },
  }
}
