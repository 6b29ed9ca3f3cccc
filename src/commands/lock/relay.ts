/** Signals of `ingot lock`: they end the wait, and later reach the command. */
import type { TakeSignals } from '../line/command.ts'

/** Where signals go once the command runs. */
export interface SignalTarget {
  signal(name: NodeJS.Signals): void
}

export interface SignalRelay extends Disposable {
  /** Aborts at the first signal before `to`. */
  readonly waiting: AbortSignal
  /** The signal that ended the wait. */
  readonly endedBy: NodeJS.Signals | undefined
  /** Passes signals on to the target from now on. `ownGroup`: the terminal does not signal the target itself. */
  to(target: SignalTarget, ownGroup: boolean): void
}

const ENDING = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
const STOPPING = ['SIGTSTP', 'SIGCONT'] as const
/** A terminal sends these to each process of its group itself. */
const FROM_TERMINAL: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT'])

export function createSignalRelay(take: TakeSignals): SignalRelay {
  const controller = new AbortController()
  let endedBy: NodeJS.Signals | undefined
  let pass = (name: NodeJS.Signals): void => {
    endedBy ??= name
    controller.abort(new DOMException(`ended by ${name}`, 'AbortError'))
  }
  const ending = take(ENDING, (name) => pass(name))
  let stopping: Disposable | undefined
  return {
    waiting: controller.signal,
    get endedBy() {
      return endedBy
    },
    to(target, ownGroup) {
      pass = (name) => {
        if (ownGroup || !FROM_TERMINAL.has(name)) target.signal(name)
      }
      if (ownGroup) stopping = take(STOPPING, (name) => stopOrContinue(target, name))
    },
    [Symbol.dispose]() {
      stopping?.[Symbol.dispose]()
      ending[Symbol.dispose]()
    },
  }
}

/** Ctrl-Z stops the command too. A group of its own ignores SIGTSTP, so it gets SIGSTOP. */
function stopOrContinue(target: SignalTarget, name: NodeJS.Signals): void {
  if (name === 'SIGCONT') return target.signal('SIGCONT')
  target.signal('SIGSTOP')
  process.kill(process.pid, 'SIGSTOP')
}
