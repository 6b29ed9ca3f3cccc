/** The service as a process: its start, refusals to start, its end, and its memory. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { answerLines } from '../testing/app.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { type Answer, ask, type Duplex, jsonOf, linesOf, openStream, wholeAnswer } from '../testing/http/requests.ts'
import { readStoredFile } from '../testing/proofs/crash/stored-file.ts'
import { type Ending, type ServiceOptions, spawnService, startService, within } from '../testing/service.ts'

const root = temporaryFolder()
let folders = 0
const newFolder = (): string => join(root, `data-${++folders}`)

const ITEMS = '/v1/collections/things/items'
const JSON_TYPE = { 'content-type': 'application/json' }

const post = (url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  ask(`${url}${ITEMS}`, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body })

const contentsOf = (data: string): string[] => readStoredFile(data).map((row) => row.content.toString())

/** Runs a service that must end by itself at once. */
async function refused(options: ServiceOptions): Promise<Ending & { stdout: string; stderr: string }> {
  await using service = spawnService(options)
  const ending = await within(service.ended, 20_000, () => `it goes on: ${service.stdout()}`)
  return { ...ending, stdout: service.stdout(), stderr: service.stderr() }
}

describe('at its start', () => {
  test('reports everything that is wrong with its settings, and starts nothing', async () => {
    const data = newFolder()
    const env = {
      INGOT_LISTEN: 'nowhere',
      INGOT_DRAIN: 'soon',
      INGOT_STORE_URL: 'carrier-pigeon:',
      INGOT_MAX_DEPTH: '0',
      INGOT_LISTEM: '127.0.0.1:1',
    }
    const { code, stdout, stderr } = await refused({ data, env })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^CONFIG_INVALID/)
    expect(stderr).toContain('INGOT_LISTEN ("listen" in a file): "nowhere" is not host:port')
    expect(stderr).toContain('INGOT_DRAIN ("drain" in a file): "soon" is not a duration')
    expect(stderr).toContain('INGOT_STORE_URL ("storeUrl" in a file): "carrier-pigeon:" is not ')
    expect(stderr).toContain('INGOT_MAX_DEPTH ("maxDepth" in a file): 0 is not a whole number from 1 to 1000')
    expect(stderr).toContain('INGOT_LISTEM: there is no such setting')
    expect(existsSync(data)).toBe(false)
  })

  test.each(['0.0.0.0:0', '[::]:0'])('refuses to listen on %s without tokens', async (listen) => {
    const data = newFolder()
    const { code, stderr } = await refused({ data, env: { INGOT_LISTEN: listen } })
    expect(code).toBe(2)
    expect(stderr).toContain('INGOT_TOKENS_FILE')
    expect(stderr).toContain('INGOT_ACCESS=off')
    expect(existsSync(data)).toBe(false)
  })

  test('listens there for everyone when access control is switched off', async () => {
    await using service = await startService({
      data: newFolder(),
      env: { INGOT_LISTEN: '0.0.0.0:0', INGOT_ACCESS: 'off' },
    })
    expect((await post(service.url.replace('0.0.0.0', '127.0.0.1'), '1')).status).toBe(201)
  })

  test('listens there for the holders of tokens', async () => {
    const file = join(root, 'tokens.json')
    const sha256 = createHash('sha256').update('secret').digest('hex')
    writeFileSync(file, JSON.stringify({ tokens: [{ name: 'loader', sha256, collections: { things: ['write'] } }] }))
    const env = { INGOT_LISTEN: '0.0.0.0:0', INGOT_TOKENS_FILE: file }
    await using service = await startService({ data: newFolder(), env })
    const url = service.url.replace('0.0.0.0', '127.0.0.1')
    expect((await post(url, '1')).status).toBe(401)
    expect((await post(url, '1', { authorization: 'Bearer secret' })).status).toBe(201)
    expect((await ask(url + ITEMS, { headers: { authorization: 'Bearer secret' } })).status).toBe(403)
  })

  test.each([
    ['that does not exist', undefined],
    ['with a plaintext token', '{"tokens":[{"name":"a","token":"secret","collections":{}}]}'],
  ])('refuses a tokens file %s', async (_what, content) => {
    const file = join(root, `tokens-${++folders}.json`)
    if (content !== undefined) writeFileSync(file, content)
    const data = newFolder()
    const { code, stderr } = await refused({ data, env: { INGOT_TOKENS_FILE: file } })
    expect([code, existsSync(data)]).toEqual([2, false])
    expect(stderr).toContain(file)
    expect(stderr).not.toContain('secret')
  })

  test('refuses a data folder that another process uses, and names that process', async () => {
    const data = newFolder()
    await using service = await startService({ data })
    const { code, stderr } = await refused({ data })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^STORE_LOCKED/)
    expect(stderr).toContain(`process ${service.pid}`)
    expect((await post(service.url, '1')).status).toBe(201)
  })

  test('refuses an address in use', async () => {
    await using service = await startService({ data: newFolder() })
    const { code, stderr } = await refused({ data: newFolder(), env: { INGOT_LISTEN: new URL(service.url).host } })
    expect(code).toBe(2)
    expect(stderr).toContain('EADDRINUSE')
  })
})

describe('at its end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: finishes requests in progress, reports where streams continue, exits 0',
    async (signal) => {
      const data = newFolder()
      await using service = await startService({ data })
      const stream = openStream(service.url + ITEMS)
      const single = openStream(service.url + ITEMS, JSON_TYPE)
      single.request.write('{"under":')
      stream.request.write('1\n\n2\n"unfinis')
      const answers = linesOf(await stream.response)
      const lines = [await answers.next(), await answers.next()].map(({ value }) => JSON.parse(value ?? '') as object)
      expect(lines).toMatchObject([{ line: 1 }, { line: 3 }])
      process.kill(service.pid, signal)
      expect(JSON.parse((await answers.next()).value ?? '')).toMatchObject({
        error: { code: 'SHUTTING_DOWN', nextLine: 4 },
      })
      single.request.end('"way"}')
      expect((await wholeAnswer(await single.response)).status).toBe(201)
      expect(await within(service.ended, 10_000, () => 'it does not end')).toEqual({ code: 0, signal: null })
      expect(contentsOf(data)).toEqual(['1', '2', '{"under":"way"}'])
    },
  )

  test('SIGTERM with a delay: serves old and new connections until the delay is over', async () => {
    await using service = await startService({ data: newFolder(), env: { INGOT_DRAIN_DELAY: '1500ms' } })
    const agent = new Agent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    await ask(`${service.url}/livez`, { agent })
    process.kill(service.pid, 'SIGTERM')
    while ((await ask(`${service.url}/readyz`)).status === 200) await setImmediate()
    const sending = { method: 'POST', headers: JSON_TYPE }
    const answers = [
      await ask(service.url + ITEMS, { ...sending, body: '"old connection"', agent }),
      await ask(service.url + ITEMS, { ...sending, body: '"new connection"' }),
    ]
    expect(answers.map(({ status, headers }) => [status, headers.connection])).toEqual([
      [201, 'close'],
      [201, 'close'],
    ])
    expect(await within(service.ended, 10_000, () => 'it does not end')).toEqual({ code: 0, signal: null })
    await expect(ask(`${service.url}/livez`)).rejects.toThrow('ECONNREFUSED')
  })

  test('cuts requests that do not end in time', async () => {
    await using service = await startService({ data: newFolder(), env: { INGOT_DRAIN: '300ms' } })
    const { request, response } = openStream(service.url + ITEMS, JSON_TYPE)
    request.on('error', () => {})
    request.write('{"never":')
    await ask(`${service.url}/livez`)
    const cut = expect(response).rejects.toThrow()
    expect(await service.stop()).toEqual({ code: 0, signal: null })
    await cut
  })
})

/** Returns the peak resident memory of the process, in bytes. */
function peakMemory(pid: number): number {
  const [, kilobytes = 'NaN'] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1_024
}

const MEBIBYTE = 1_024 * 1_024

/** Well below the bytes sent in these tests, and above the size to which unlimited heaps grow. */
const BOUND = 420 * MEBIBYTE

const hasProc = existsSync('/proc/self/status')

/** Sends chunk after chunk, as fast as the service takes them. */
async function pour(request: Duplex['request'], chunk: Buffer, times: number): Promise<void> {
  for (let n = 0; n < times; n++) if (!request.write(chunk)) await once(request, 'drain')
}

describe.skipIf(!hasProc)('memory', () => {
  test('stays low for a line of one gigabyte, which fails alone', async () => {
    const data = newFolder()
    await using service = await startService({ data })
    const { request, response } = openStream(service.url + ITEMS)
    const answer = response.then(wholeAnswer)
    request.write('"before"\n"')
    await pour(request, Buffer.alloc(MEBIBYTE, 'x'), 1_024)
    request.end('"\n"after"\n')
    expect(answerLines((await answer).body.toString())).toMatchObject([
      { line: 1, status: 'created' },
      { line: 2, error: { code: 'CONTENT_TOO_LARGE' } },
      { line: 3, status: 'created' },
      { summary: { lines: 3, created: 2, failed: 1 } },
    ])
    expect(peakMemory(service.pid)).toBeLessThan(BOUND)
    expect((await post(service.url, '"alive"')).status).toBe(201)
    await service.kill()
    expect(contentsOf(data)).toEqual(['"before"', '"after"', '"alive"'])
  })

  test.each([
    ['read as they come', {}],
    ['not requested', { prefer: 'return=minimal' }],
  ])('does not grow with the number of lines, with results %s', async (_what, headers) => {
    await using service = await startService({ data: newFolder() })
    const pad = 'x'.repeat(20_000)
    const lines = Buffer.from(Array.from({ length: 100 }, (_, n) => `{"n":${n},"pad":"${pad}"}\n`).join(''))
    const { request, response } = openStream(service.url + ITEMS, headers)
    const last = response.then(async (head) => {
      let line = ''
      for await (const text of linesOf(head)) line = text
      return line
    })
    // one gigabyte in total
    await pour(request, lines, 500)
    request.end()
    expect(JSON.parse(await last)).toEqual({ summary: { lines: 50_000, created: 100, duplicate: 49_900, failed: 0 } })
    expect(peakMemory(service.pid)).toBeLessThan(BOUND)
  })

  test('stays bounded when results are not read: the service stops reading', async () => {
    await using service = await startService({ data: newFolder(), env: { INGOT_READ_STALL: '2s' } })
    const { request, response } = openStream(service.url + ITEMS)
    request.on('error', () => {})
    const head = await response
    head.on('error', () => {})
    const closed = new Promise((resolve) => request.on('close', resolve))
    const bad = Buffer.from('x\n'.repeat(100_000))
    // 200 MB of lines; if all were accepted, their results would be gigabytes
    await Promise.race([closed, pour(request, bad, 1_000).catch(() => {})])
    expect(peakMemory(service.pid)).toBeLessThan(BOUND)
    request.destroy()
    expect((await post(service.url, '1')).status).toBe(201)
  })
})

test('on a full disk it refuses items, stores no part of a batch, and keeps earlier items', async () => {
  const data = newFolder()
  // files may not grow beyond 2 MiB, and the signal for it is ignored, as on a full disk
  const under = ['sh', '-c', `trap '' XFSZ; ulimit -f 4096; exec "$0" "$@"`]
  const kept: string[] = []
  {
    await using service = await startService({ data, under, env: { INGOT_MAX_ITEM_BYTES: '2000000' } })
    let answer = await post(service.url, '"first"')
    for (let n = 0; answer.status === 201 && n < 200; n++) {
      kept.push(jsonOf<{ id: string }>(answer).id)
      answer = await post(service.url, JSON.stringify({ n, pad: 'x'.repeat(50_000) }))
    }
    expect(answer.status).toBe(503)
    expect(jsonOf(answer)).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(answer.headers['retry-after']).toBe('1')
    expect((await ask(`${service.url}${ITEMS}/${kept[0]}`)).body.toString()).toBe('"first"')
    await service.kill()
  }
  expect(readStoredFile(data).map((row) => row.id)).toEqual(kept)
  await using again = await startService({ data })
  expect((await post(again.url, '"room again"')).status).toBe(201)
  expect((await post(again.url, '"first"')).status).toBe(200)
})
