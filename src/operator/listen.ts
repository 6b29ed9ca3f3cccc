/** Servers of the operator. */
import type { Server } from 'node:http'
import { IngotError, reasonOf } from '../errors/error.ts'

export interface Listening extends AsyncDisposable {
  /** Such as `http://127.0.0.1:9400`. */
  readonly url: string
}

export interface Address {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** Resolves when the server listens. Rejects with CONFIG_INVALID, which names the setting, if the address cannot be used. */
export async function listenOn(server: Server, { host, port }: Address, setting: string): Promise<Listening> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  try {
    await promise
  } catch (cause) {
    throw new IngotError('CONFIG_INVALID', `${setting} cannot be used: ${reasonOf(cause)}`, { cause })
  }
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((done) => server.close(() => done()))
    },
  }
}
