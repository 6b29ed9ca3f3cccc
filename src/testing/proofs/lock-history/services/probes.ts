/** Proves by new connections that a server is dead or silent. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { systemClock } from '../../../../std/clock.ts'
import { until } from '../../../../std/until.ts'

const HOST = '127.0.0.1'
/** A running server responds within a fraction of this time, in milliseconds. */
const SILENT_MS = 700
const CONNECT_MS = 2_000
const GONE_MS = 2_000
const EVERY_MS = 50

/** Resolves with the evidence that no process listens on the port. Rejects if one still does after two seconds. */
export async function proveDead(port: number): Promise<string> {
  // a killed process needs a moment to close its sockets
  await until(
    async () => ((await accepts(port)) ? { missing: `port ${port} accepted a connection` } : { value: true }),
    { withinMs: GONE_MS, everyMs: EVERY_MS },
  )
  return `port ${port} refused a connection`
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, HOST)
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/**
 * Resolves with the evidence that the server does not respond. `hello` is a request to which a running server of its kind
 * responds. Rejects if a response came.
 */
export async function proveSilent(port: number, hello: string | Uint8Array): Promise<string> {
  const socket = connect(port, HOST)
  let received = 0
  socket.on('data', (data) => void (received += data.length))
  socket.on('error', () => {})
  try {
    socket.write(hello)
    await systemClock.sleep(SILENT_MS)
  } finally {
    socket.destroy()
  }
  if (received > 0) throw new Error(`port ${port} sent ${received} bytes`)
  return `port ${port} sent nothing for ${SILENT_MS} ms`
}
