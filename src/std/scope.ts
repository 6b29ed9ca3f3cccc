/**
 * Things to undo, in reverse order of their making: every acquired resource goes into a scope, and closing the scope
 * releases all of them even when some fail.
 */

export type Release = () => PromiseLike<void> | void

export interface Scope extends AsyncDisposable {
  /** Registers what undoes the last step. */
  defer(release: Release): void
  /** Runs every release once, last first. Rejects with an AggregateError when any failed. A second call waits for the first. */
  close(): Promise<void>
}

export function createScope(): Scope {
  const releases: Release[] = []
  let closing: Promise<void> | undefined

  async function releaseAll(): Promise<void> {
    const failures: unknown[] = []
    for (let release = releases.pop(); release !== undefined; release = releases.pop()) {
      try {
        await release()
      } catch (failure) {
        failures.push(failure)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'could not release everything')
  }

  const close = (): Promise<void> => (closing ??= releaseAll())
  return { defer: (release) => void releases.push(release), close, [Symbol.asyncDispose]: close }
}
