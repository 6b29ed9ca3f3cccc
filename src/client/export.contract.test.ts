/** The export against a real server that breaks in the ways that would pass for an end. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../std/clock.ts'
import { exportItems } from './export.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function exported(
  answer: RequestListener,
  signal = AbortSignal.timeout(10_000),
  stallMs = 5_000,
): Promise<string> {
  const server = createServer(answer)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/`)
  const service = { url, token: 'secret' }
  let text = ''
  for await (const chunk of exportItems({ service, collection: 'a.b', clock: systemClock, signal, stallMs })) {
    text += chunk.toString()
  }
  return text
}

describe('an export', () => {
  test('is all that the service sends, asked for as NDJSON under the prefix of the address', async () => {
    let asked: unknown
    const text = await exported((request, response) => {
      const { method, url, headers } = request
      asked = { method, url, accept: headers.accept, authorization: headers.authorization }
      response.write('{"id":1}\n')
      response.end('{"id":2}\n')
    })
    expect(text).toBe('{"id":1}\n{"id":2}\n')
    expect(asked).toEqual({
      method: 'GET',
      url: '/prefix/v1/collections/a.b/items',
      accept: 'application/x-ndjson',
      authorization: 'Bearer secret',
    })
  })

  test('that breaks off is a failure, also between two lines', async () => {
    const cut = exported((_request, response) => {
      response.write('{"id":1}\n', () => setTimeout(() => response.destroy(), 20))
    })
    await expect(cut).rejects.toMatchObject({ code: 'REMOTE_UNREACHABLE' })
  })

  test('that comes to a standstill is one too', async () => {
    const silent = exported((_request, response) => void response.write('{"id":1}\n'), undefined, 100)
    await expect(silent).rejects.toMatchObject({
      code: 'REMOTE_UNREACHABLE',
      message: expect.stringContaining('0.1 s') as string,
    })
  })

  test('that is refused says why', async () => {
    const refused = exported((_request, response) => {
      response.writeHead(403).end('{"code":"TOKEN_REFUSED","detail":"no right to read","title":"use another"}')
    })
    await expect(refused).rejects.toThrow('403 TOKEN_REFUSED: no right to read: use another')
  })

  test('ends at the signal', async () => {
    const controller = new AbortController()
    const reason = new Error('ended by SIGINT')
    const stopped = exported((_request, response) => {
      response.write('{"id":1}\n', () => controller.abort(reason))
    }, controller.signal)
    await expect(stopped).rejects.toBe(reason)
  })
})
