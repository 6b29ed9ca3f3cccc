/**
 * Ends a service when the process of its test ends for any reason. Loaded into the service with `node --import`. File
 * descriptor 3 is a pipe whose other end only the test holds. The system closes it when that process ends.
 */
import { Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  const parent = new Socket({ fd: 3, readable: true, writable: false })
  parent.on('error', () => {})
  parent.on('close', () => process.kill(process.pid, 'SIGKILL'))
  parent.resume()
  // the pipe must not keep the service alive
  parent.unref()
}
