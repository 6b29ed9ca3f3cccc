/** Finds Docker for tests and drills, and decides which process removes their containers. */
import { getContainerRuntimeClient, type StartedTestContainer } from 'testcontainers'
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

/** Runs a command in the container and resolves with its output, trimmed. Rejects if it fails. Default user: that of the image. */
export async function execIn(
  container: StartedTestContainer,
  command: readonly string[],
  options: { readonly user?: string } = {},
): Promise<string> {
  const { exitCode, output } = await container.exec([...command], options)
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed: ${output}`)
  return output.trim()
}

/** Returns a function that runs a script in the container as root. It rejects if the script fails. */
export function rootShell(container: StartedTestContainer): (script: string) => Promise<string> {
  return (script) => execIn(container, ['sh', '-c', script], { user: 'root' })
}
