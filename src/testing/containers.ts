/** Docker as tests and drills need it: whether it is here, and who removes what they start. */
import { getContainerRuntimeClient } from 'testcontainers'
import type { Absent } from './present.ts'

/** Docker as something that a test may need by itself; or why there is none. */
export async function findDocker(): Promise<object | Absent> {
  try {
    return await getContainerRuntimeClient()
  } catch (error) {
    return { absent: `no Docker: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** What `start` makes of containers, or why there can be none. */
export async function inDocker<T>(start: () => Promise<T>): Promise<T | Absent> {
  const docker = await findDocker()
  return 'absent' in docker ? { absent: docker.absent } : start()
}

/**
 * To be called by a program that removes its containers itself, before it starts any: the container that would do so
 * by default is an image more, which CI's image stores do not have.
 */
export function removeContainersOurselves(): void {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'
}
