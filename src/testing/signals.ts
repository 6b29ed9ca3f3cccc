/** Signals for tests of commands: none arrives. */
export const noSignals = (): Disposable => ({ [Symbol.dispose]() {} })
