/** Whether any lease of a claim was lost, and the signal that says so: made when it is first asked for. */
import type { IngotError } from '../../std/error.ts'

export class Loss {
  #fault: IngotError | undefined
  #controller: AbortController | undefined

  /** The first fault is the one that counts. */
  report(fault: IngotError): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#controller?.abort(fault)
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#fault !== undefined) this.#controller.abort(this.#fault)
    }
    return this.#controller.signal
  }

  check(): void {
    if (this.#fault !== undefined) throw this.#fault
  }
}
