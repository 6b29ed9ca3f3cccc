/** Signals for tests of commands: none arrives. */
import type { TakeSignals } from '../commands/line/command.ts'

export const noSignals: TakeSignals = () => ({ [Symbol.dispose]() {} })
