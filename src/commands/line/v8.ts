/** Engine settings for commands that process much data and then end. */
import { setFlagsFromString } from 'node:v8'

/**
 * Compiles hot functions on the main thread. If a compiler thread waits for a garbage collection when the process
 * exits, the exit waits for that thread and the process never ends (nodejs/node#54918, open as of Node 24). This is
 * likely after heavy use of memory outside the heap, for example by a line of 150 MB.
 */
export function compileOnMainThread(): void {
  setFlagsFromString('--no-concurrent-recompilation')
}
