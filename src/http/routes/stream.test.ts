/**
 * Streams over real connections: order, line numbers, results as commits happen, and the ways in which a stream ends.
 */
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../items/stores/memory/store.ts'
import { answerLines, openTestApp, overStore } from '../../testing/app.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { ask, linesOf, openStream, wholeAnswer } from '../../testing/http/requests.ts'

const ITEMS = '/v1/collections/things/items'
const NDJSON = { 'content-type': 'application/x-ndjson' }

test('returns a result for each line in order, by its physical number, with any line ending', async () => {
  const app = await openTestApp()
  const body = '"a"\n\n"b"\r\n   \r\n\r\n"a"\nnonsense\n"c"'
  const answer = await app.post(ITEMS, body, NDJSON)
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['content-type']).toBe('application/x-ndjson')
  expect(answerLines(answer.body)).toMatchObject([
    { line: 1, status: 'created' },
    { line: 3, status: 'created' },
    { line: 6, status: 'duplicate' },
    { line: 7, error: { code: 'JSON_INVALID', detail: expect.any(String) as string } },
    { line: 8, status: 'created' },
    { summary: { lines: 5, created: 3, duplicate: 1, failed: 1 } },
  ])
  expect(await app.stored('things')).toEqual(['"a"', '"b"', '"c"'])
})

test('responds to an empty stream with its summary', async () => {
  const app = await openTestApp()
  for (const body of ['', '\n', '\r\n \n']) {
    expect(answerLines((await app.post(ITEMS, body, NDJSON)).body)).toEqual([
      { summary: { lines: 0, created: 0, duplicate: 0, failed: 0 } },
    ])
  }
})

test('accepts application/jsonl as the same', async () => {
  const app = await openTestApp()
  const answer = await app.post(ITEMS, '1\n', { 'content-type': 'application/jsonl; charset=utf-8' })
  expect(answerLines(answer.body)).toHaveLength(2)
})

test('sends the result of a line when it is committed, not when the stream ends', async () => {
  const app = await openTestApp()
  const { request, response } = openStream((await app.listen()) + ITEMS)
  const answers = linesOf(await response)
  for (const n of [1, 2, 3]) {
    request.write(`${n}\n`)
    expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ line: n, status: 'created' })
  }
  request.end()
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ summary: { lines: 3 } })
  expect((await answers.next()).done).toBe(true)
})

test('joins lines that arrive in pieces', async () => {
  const app = await openTestApp()
  const { request, response } = openStream((await app.listen()) + ITEMS)
  const answers = linesOf(await response)
  for (const piece of ['{"a":', '"\u00e4', '"}', '\r', '\n"next']) request.write(piece)
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ line: 1, status: 'created' })
  request.end('"')
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ line: 2, status: 'created' })
  expect(await app.stored('things')).toHaveLength(2)
})

test('keeps the order of many lines through many commits', async () => {
  const app = await openTestApp()
  const count = 20_000
  const body = Array.from({ length: count }, (_, n) => `{"n":${n % 15_000}}`).join('\n')
  const answer = await ask((await app.listen()) + ITEMS, { method: 'POST', headers: NDJSON, body })
  const lines = answerLines(answer.body.toString())
  expect(lines.slice(0, -1).map((line) => line['line'])).toEqual(Array.from({ length: count }, (_, n) => n + 1))
  expect(lines.at(-1)).toEqual({ summary: { lines: count, created: 15_000, duplicate: 5_000, failed: 0 } })
})

test.each(['return=minimal', 'wait=10, return=minimal', 'return = "minimal"'])(
  'sends only the summary under Prefer: %s',
  async (prefer) => {
    const app = await openTestApp()
    const answer = await app.post(ITEMS, '1\nnonsense\n1\n', { ...NDJSON, prefer })
    expect(answerLines(answer.body)).toEqual([{ summary: { lines: 3, created: 1, duplicate: 1, failed: 1 } }])
  },
)

test('reports the next line when the service drains', async () => {
  const app = await openTestApp()
  const { request, response } = openStream((await app.listen()) + ITEMS)
  const answers = linesOf(await response)
  request.write('1\n\n2\n"unfinis')
  await answers.next()
  await answers.next()
  app.drain()
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({
    error: { code: 'SHUTTING_DOWN', nextLine: 4 },
  })
  expect((await answers.next()).done).toBe(true)
  expect(await app.stored('things')).toEqual(['1', '2'])
})

test('reports the next line when the store fails, and every line before it is stored', async () => {
  const inner = createMemoryStore()
  let puts = 0
  const store = overStore(inner, {
    async put(units, nowMs) {
      if (++puts > 2) throw new Error('the disk is gone')
      return inner.put(units, nowMs)
    },
  })
  const app = await openTestApp({ store })
  const { request, response } = openStream((await app.listen()) + ITEMS)
  const answers = linesOf(await response)
  for (const n of [1, 2]) {
    request.write(`${n}\n`)
    await answers.next()
  }
  request.write('3\n4\n')
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ error: { nextLine: 3 } })
  expect(await app.stored('things')).toEqual(['1', '2'])
})

test('ends after a pause that is too long', async () => {
  const clock = createFakeClock()
  const app = await openTestApp({ clock, http: { bodyIdleMs: 5_000 } })
  const { request, response } = openStream((await app.listen()) + ITEMS)
  const answers = linesOf(await response)
  request.write('1\n')
  await answers.next()
  await clock.advance(4_900)
  request.write('2\n')
  await answers.next()
  await clock.advance(4_900)
  request.write('3\n')
  await answers.next()
  await clock.advance(5_100)
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ error: { code: 'BODY_STALLED', nextLine: 4 } })
})

test('ends when a line does not end although single bytes arrive; earlier results stay valid', async () => {
  const clock = createFakeClock()
  const app = await openTestApp({ clock, http: { bodyIdleMs: 5_000, bodyTimeMs: 12_000 } })
  const url = await app.listen()
  const { request, response } = openStream(url + ITEMS)
  const answers = linesOf(await response)
  const closed = new Promise<void>((resolve) => request.on('close', () => resolve()))
  request.write('1\n"')
  await answers.next()
  for (let n = 0; n < 2; n++) {
    await clock.advance(4_000)
    request.write('x')
    await ask(`${url}/livez`)
  }
  await clock.advance(4_000)
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({
    error: { code: 'BODY_STALLED', detail: 'line 2 did not end within 12000 ms (bodyTime)', nextLine: 2 },
  })
  await clock.advance(1_000)
  await closed
  expect(await app.stored('things')).toEqual(['1'])
})

test('lasts for ever for a client that sends only an occasional empty line', async () => {
  const clock = createFakeClock()
  const app = await openTestApp({ clock, http: { bodyIdleMs: 5_000, bodyTimeMs: 12_000 } })
  const url = await app.listen()
  const { request, response } = openStream(url + ITEMS)
  const answers = linesOf(await response)
  for (let n = 0; n < 20; n++) {
    request.write('\n')
    await ask(`${url}/livez`)
    await clock.advance(4_000)
  }
  request.end('1\n')
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ line: 21, status: 'created' })
  expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({ summary: { lines: 1 } })
})

test('ends with 429 on its last line when unfinished lines fill the budget, and starts with status 429 when other streams do', async () => {
  const app = await openTestApp({ http: { maxReceivingBytes: 50_000, maxItemBytes: 30_000 } })
  const url = (await app.listen()) + ITEMS
  const open = async () => {
    const { request, response } = openStream(url)
    request.on('error', () => {})
    return { request, answers: linesOf(await response) }
  }
  const [one, other] = [await open(), await open()]
  one.request.write(`"${'x'.repeat(29_000)}`)
  await expect.poll(async () => (await app.get('/metrics')).body).toMatch(/^ingot_receiving_bytes 4[5-9]\d\d\d$/m)
  other.request.write(`"first"\n`)
  await other.answers.next()
  other.request.write(`"${'y'.repeat(29_000)}`)
  expect(JSON.parse((await other.answers.next()).value ?? '')).toMatchObject({
    error: { code: 'OVERLOADED', nextLine: 2 },
  })
  await expect.poll(async () => (await app.get('/metrics')).body).toMatch(/^ingot_receiving_bytes 29\d\d\d$/m)
  const third = await open()
  expect((await app.post(ITEMS, '1\n', NDJSON)).statusCode).toBe(429)
  third.request.destroy()
  one.request.end('"\n')
  expect(JSON.parse((await one.answers.next()).value ?? '')).toMatchObject({ status: 'created' })
  expect(await app.stored('things')).toHaveLength(2)
})

test('is cut when its results are not read for too long', { timeout: 30_000 }, async () => {
  const app = await openTestApp({ http: { readStallMs: 100 } })
  const { port } = new URL(await app.listen())
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  socket.pause()
  socket.write(
    `POST ${ITEMS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`,
  )
  // results of malformed lines are longer than the lines, so they fill the system's buffers
  const bad = 'x\n'.repeat(32_768)
  const chunk = `${bad.length.toString(16)}\r\n${bad}\r\n`
  const closed = new Promise((resolve) => socket.on('close', resolve))
  const pump = (): void => {
    while (!socket.destroyed && socket.write(chunk)) continue
  }
  socket.on('drain', pump)
  pump()
  await expect
    .poll(() => app.log.some((line) => JSON.stringify(line.fields).includes('READ_STALLED')), { timeout: 20_000 })
    .toBe(true)
  socket.resume()
  await closed
  expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
})

test('handles a client that leaves', async () => {
  const app = await openTestApp()
  const url = await app.listen()
  const { request, response } = openStream(url + ITEMS)
  const answers = linesOf(await response)
  request.write('1\n2\n"unfinis')
  await answers.next()
  request.destroy()
  await expect
    .poll(() => app.log.map((line) => JSON.stringify(line.fields)))
    .toContainEqual(expect.stringContaining('CLIENT_GONE'))
  expect(app.log.filter((line) => line.level === 'error' || line.level === 'warn')).toEqual([])
  const next = openStream(url + ITEMS)
  next.request.end('3\n')
  expect(answerLines((await wholeAnswer(await next.response)).body.toString()).at(-1)).toMatchObject({
    summary: { lines: 1 },
  })
  expect(await app.stored('things')).toEqual(['1', '2', '3'])
})
