/** Whether any lease of a claim was lost, and the signal that says so: made when it is first asked for. */
import type { IngotError } from '../../std/error.ts'

export class Loss {
  #error: IngotError | undefined
  #controller: AbortController | undefined

  /** The first error is the one that counts. */
  report(error: IngotError): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#controller?.abort(error)
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#error !== undefined) this.#controller.abort(this.#error)
    }
    return this.#controller.signal
  }

  check(): void {
    if (this.#error !== undefined) throw this.#error
  }
}
