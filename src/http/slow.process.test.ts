/** A real service, with clients that send too slowly. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { ask } from '../testing/http/requests.ts'
import { startService } from '../testing/service.ts'

/** Sends the head, then the text byte by byte until the connection closes. Resolves with the complete response. */
async function trickle(url: string, head: readonly string[], text: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket: Socket = connect(Number(port), hostname)
  socket.on('error', () => {}).setEncoding('utf8')
  let answer = ''
  socket.on('data', (part: string) => void (answer += part))
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.write(`${head.join('\r\n')}\r\ntransfer-encoding: chunked\r\n\r\n`)
  for (let at = 0; !socket.destroyed; at++) {
    const byte = text[at] ?? 'x'
    socket.write(`1\r\n${byte}\r\n`)
    await delay(20)
  }
  await closed
  return answer
}

test('cuts a body and a line that take too long, even if single bytes arrive; acknowledged items stay', async () => {
  await using service = await startService({ data: temporaryFolder(), env: { INGOT_BODY_TIME: '1s' } })
  const items = '/v1/collections/things/items'
  const head = (path: string, type: string): string[] => [`POST ${path} HTTP/1.1`, 'host: x', `content-type: ${type}`]
  const [single, batch, stream] = await Promise.all([
    trickle(service.url, head(items, 'application/json'), '"'),
    trickle(service.url, head(`${items}:batch`, 'application/json'), '["'),
    trickle(service.url, head(items, 'application/x-ndjson'), '1\n2\n"'),
  ])
  for (const answer of [single, batch]) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(answer.toLowerCase()).toContain('connection: close')
    expect(answer).toContain('"code":"BODY_STALLED"')
  }
  expect(stream).toContain('"line":2')
  expect(stream).toMatch(/"code":"BODY_STALLED","detail":"line 3 did not end within 1000 ms[^}]*"nextLine":3/)
  const list = await ask(`${service.url}${items}`)
  expect(JSON.parse(list.body.toString())).toMatchObject({ items: [{ content: 1 }, { content: 2 }] })
})
