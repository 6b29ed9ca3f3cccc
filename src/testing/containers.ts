/** Finds Docker for tests and drills, and decides which process removes their containers. */
import { getContainerRuntimeClient } from 'testcontainers'
import type { Absent } from './present.ts'

/** Returns Docker, or the reason why it is absent, for tests that need it directly. */
export async function findDocker(): Promise<object | Absent> {
  try {
    return await getContainerRuntimeClient()
  } catch (error) {
    return { absent: `no Docker: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** Returns the result of `start`, or the reason why there is no Docker. */
export async function inDocker<T>(start: () => Promise<T>): Promise<T | Absent> {
  const docker = await findDocker()
  return 'absent' in docker ? { absent: docker.absent } : start()
}

/**
 * Disables the container that removes containers, because it needs one more image, which CI does not have. Programs that
 * remove their containers themselves call this before they start any.
 */
export function removeContainersOurselves(): void {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'
}
