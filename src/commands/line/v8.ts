/** Settings of the JavaScript engine for commands that read and write much and then end. */
import { setFlagsFromString } from 'node:v8'

/**
 * Compiles hot functions on the main thread. A compiler thread that waits for a garbage collection when the process
 * exits is waited for by the exit itself, so the process never ends (nodejs/node#54918, open as of Node 24). That is
 * likely after much memory outside the heap was used, as by a line of 150 MB.
 */
export function compileOnMainThread(): void {
  setFlagsFromString('--no-concurrent-recompilation')
}
