/**
 * Releases resources in reverse order of their acquisition. Closing the scope releases all of them, even if some fail.
 */

export type Release = () => PromiseLike<void> | void

export interface Scope extends AsyncDisposable {
  /** Registers the release of a resource. */
  defer(release: Release): void
  /**
   * Runs every release once, the last one first. Rejects with an AggregateError if any failed. A second call waits for
   * the first.
   */
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
