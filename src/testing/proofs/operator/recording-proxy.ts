/** A proxy in front of an API server that records each write of one process. */
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Write } from './judge.ts'

export interface RecordingProxy extends AsyncDisposable {
  /** Such as `http://127.0.0.1:1234`. */
  readonly url: string
  /** Watches that are open. */
  readonly watches: number
  /** Ends every connection of the process. */
  reset(): void
  /** Forwards nothing for so long: requests wait. */
  freeze(ms: number): void
}

/** `server` is the URL of the API server. `record` gets each write when its response has come. */
export async function startRecordingProxy(
  server: string,
  process: string,
  record: (write: Write) => void,
): Promise<RecordingProxy> {
  // the API server of the tests has a certificate that it made itself
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false })
  let watches = 0
  let frozenUntilMs = 0
  const proxy = http.createServer((request, response) => {
    const leftMs = frozenUntilMs - performance.now()
    if (leftMs > 0) setTimeout(() => forward(request, response), leftMs)
    else forward(request, response)
  })

  function forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    const sentMs = performance.now()
    const body: Buffer[] = []
    const { method = 'GET', url = '/', headers } = request
    const upstream = https.request(new URL(url, server), { method, headers, agent }, (reply) => {
      if (method !== 'GET') {
        const holder = holderIn(url, Buffer.concat(body).toString())
        const isAccepted = (reply.statusCode ?? 500) < 300
        const line = `${method} ${url.split('?')[0]}`
        const write = { process, sentMs, doneMs: performance.now(), isAccepted, line }
        record(holder === undefined ? write : { ...write, holder })
      }
      response.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(response)
    })
    const fail = (): void => void response.destroy()
    upstream.on('error', fail)
    const isWatch = url.includes('watch=true')
    if (isWatch) watches++
    response.on('close', () => {
      if (isWatch) watches--
      upstream.destroy()
    })
    request.on('data', (chunk: Buffer) => body.push(chunk))
    request.pipe(upstream)
  }
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    get watches() {
      return watches
    },
    reset: () => proxy.closeAllConnections(),
    freeze: (ms) => void (frozenUntilMs = performance.now() + ms),
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
      agent.destroy()
    },
  }
}

/** Returns the holder that a request writes into a Lease; undefined for a request about something else. */
function holderIn(url: string, body: string): string | undefined {
  if (!url.includes('/leases')) return undefined
  return /"holderIdentity":"([^"]*)"/.exec(body)?.[1] ?? ''
}
