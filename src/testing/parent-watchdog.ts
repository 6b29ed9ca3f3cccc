/**
 * Loaded into a service that a test starts (`node --import`): ends it when the test's own process is gone, however
 * that went. File descriptor 3 is a pipe whose other end only the test holds; the system closes it for a dead process.
 */
import { Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  const leash = new Socket({ fd: 3, readable: true, writable: false })
  leash.on('error', () => {})
  leash.on('close', () => process.kill(process.pid, 'SIGKILL'))
  leash.resume()
  // it must not keep a service alive that has nothing left to do
  leash.unref()
}
