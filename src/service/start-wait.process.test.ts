import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/**
 * An attempt that waits on a resource that does not keep the process alive, such as a client of an incomplete Redis
 * Cluster.
 */
const PROGRAM = `
import { createStartWait } from './start-wait.ts'
import { systemClock } from '../std/clock.ts'
import { silentLog } from '../telemetry/log.ts'
const open = createStartWait({ clock: systemClock, log: silentLog, signal: new AbortController().signal }, 0)
const attempt = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
try {
  await open({ what: 'lock service', attemptMs: 300, late: 'LOCK_BACKEND_UNAVAILABLE', attempt })
} catch (error) {
  console.log(error.code)
}
`

test('an attempt keeps the process alive until it fails, even if nothing else does', async () => {
  const here = { cwd: import.meta.dirname, timeout: 20_000 }
  const program = PROGRAM.replaceAll("'.", `'${import.meta.dirname}/.`)
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], here)
  expect(stdout).toBe('LOCK_BACKEND_UNAVAILABLE\n')
})
