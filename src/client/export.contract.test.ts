/** The export against a real server whose failures could look like the end of the export. */
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

const NDJSON = { 'content-type': 'application/x-ndjson' }

describe('an export', () => {
  test('returns everything that the service sends, requested as NDJSON under the prefix of the address', async () => {
    let asked: unknown
    const text = await exported((request, response) => {
      const { method, url, headers } = request
      asked = { method, url, accept: headers.accept, authorization: headers.authorization }
      response.writeHead(200, NDJSON).write('{"id":1}\n')
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

  test('fails when it breaks off, even between two lines', async () => {
    const cut = exported((_request, response) => {
      response.writeHead(200, NDJSON).write('{"id":1}\n', () => setTimeout(() => response.destroy(), 20))
    })
    await expect(cut).rejects.toMatchObject({ code: 'REMOTE_UNREACHABLE' })
  })

  test('fails when it stalls', async () => {
    const silent = exported(
      (_request, response) => void response.writeHead(200, NDJSON).write('{"id":1}\n'),
      undefined,
      100,
    )
    await expect(silent).rejects.toMatchObject({
      code: 'REMOTE_UNREACHABLE',
      message: expect.stringContaining('0.1 s') as string,
    })
  })

  test('reports the reason of a refusal', async () => {
    const refused = exported((_request, response) => {
      response.writeHead(403).end('{"code":"TOKEN_REFUSED","detail":"no right to read","title":"use another"}')
    })
    await expect(refused).rejects.toThrow('403 TOKEN_REFUSED: no right to read: use another')
  })

  test('ends at the signal', async () => {
    const controller = new AbortController()
    const reason = new Error('ended by SIGINT')
    const stopped = exported((_request, response) => {
      response.writeHead(200, NDJSON).write('{"id":1}\n', () => controller.abort(reason))
    }, controller.signal)
    await expect(stopped).rejects.toBe(reason)
  })

  test.each([
    ['a login page', { 'content-type': 'text/html' }, '<html>', 'sent no export but text/html'],
    ['a response without a media type', {}, '{"id":1}\n', 'without a content type'],
    ['a compressed response', { ...NDJSON, 'content-encoding': 'gzip' }, 'x', 'compressed the export'],
    ['HTML with the media type of NDJSON', NDJSON, '<html>\n', 'line 1 is not an item: <html>'],
    ['other JSON', NDJSON, '{"id":1}\n{"error":{}}\n', 'line 2 is not an item: {"error":{}}'],
    ['an empty line', NDJSON, '{"id":1}\n\n', 'line 2 is not an item'],
    ['control characters', NDJSON, '\x1b[2J', 'line 1 is not an item: \\u001b[2J'],
  ])('refuses %s', async (_what, headers, body, message) => {
    const refused = exported((_request, response) => void response.writeHead(200, headers).end(body))
    await expect(refused).rejects.toMatchObject({
      code: 'REMOTE_REFUSED',
      message: expect.stringContaining(message) as string,
    })
  })

  test('refuses a response without a marked end', async () => {
    const refused = exported((request) => {
      request.socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n\r\n{"id":1}\n')
    })
    await expect(refused).rejects.toThrow('does not mark the end of its response')
  })

  test('fails when it ends within a line, or with another number of items than the trailer says', async () => {
    const torn = exported((_request, response) => void response.writeHead(200, NDJSON).end('{"id":1}\n{"id":2}'))
    await expect(torn).rejects.toThrow('ended the export within line 2')
    const counting = (count: string) =>
      exported((_request, response) => {
        response.writeHead(200, { ...NDJSON, trailer: 'ingot-items' }).write('{"id":1}\n')
        response.addTrailers({ 'ingot-items': count })
        response.end('{"id":2}\n')
      })
    await expect(counting('3')).rejects.toMatchObject({
      code: 'REMOTE_UNREACHABLE',
      message: expect.stringContaining('counted 3 items in its export, 2 arrived') as string,
    })
    expect(await counting('2')).toBe('{"id":1}\n{"id":2}\n')
  })

  test('gives the same verdict in chunks of any size', async () => {
    const chunked = (text: string) =>
      exported((_request, response) => {
        response.writeHead(200, NDJSON)
        for (const byte of text) response.write(byte)
        response.end()
      })
    expect(await chunked('{"id":1}\n{"id":2}\n')).toBe('{"id":1}\n{"id":2}\n')
    await expect(chunked('{"id":1}\n{"ix":2}\n')).rejects.toThrow('line 2 is not an item')
  })
})
