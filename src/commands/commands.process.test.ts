/** The commands against a service that is killed, stopped and restarted. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdtempSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { respondWith } from '../testing/http/fixed-response.ts'
import { endProcesses, type Running, runIngot, startIngot } from '../testing/process.ts'
import { type Service, startService } from '../testing/service.ts'

const root = temporaryFolder()
endProcesses()

let service: Service | undefined

afterEach(async () => {
  await service?.kill()
  service = undefined
})

async function serve(data = newFolder()): Promise<Service & { readonly data: string }> {
  service = await startService({ data })
  return { ...service, data }
}

const newFolder = (): string => mkdtempSync(join(root, 'data-'))

const linesOf = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, n) => `{"n":${from + n},"text":"${'x'.repeat(80)}"}\n`).join('')

function fileOf(name: string, content: string | Buffer): string {
  const path = join(root, name)
  writeFileSync(path, content)
  return path
}

/** Returns the numbers in a collection, in order. A number that is stored twice appears twice. */
async function storedNumbers(url: string, collection: string): Promise<number[]> {
  const { code, stdout } = await runIngot(['export', '--from', url, '-c', collection])
  expect(code).toBe(0)
  const numbers = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { content: { n: number } }).content.n)
  return numbers.toSorted((a, b) => a - b)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 30 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Waits until the service has stored items of a collection. */
async function untilStored(url: string, collection: string, atLeast = 1): Promise<void> {
  await until('something is stored', async () => {
    const response = await fetch(`${url}/v1/collections/${collection}/items?limit=${atLeast}`)
    const page = (await response.json()) as { items: unknown[] }
    return page.items.length >= atLeast
  })
}

const startIngest = (url: string, file = '-'): Running =>
  startIngot(['ingest', file, '--to', url, '-c', 'orders', '--json', '--retry-for', '30s'])

describe('ingest', () => {
  test('continues when the service is killed and restarted', async () => {
    const { url, data } = await serve()
    const count = 150_000
    const running = startIngest(url, fileOf('killed.ndjson', linesOf(0, count)))
    await untilStored(url, 'orders', 1_000)
    await service?.kill()
    await until('ingest notices', () => running.stderr().includes('going on at line'))
    service = await startService({ data, env: { INGOT_LISTEN: new URL(url).host } })
    const { code, stdout } = await running.finished
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ complete: true, items: count, failed: 0, answeredLines: count })
    expect(await storedNumbers(url, 'orders')).toEqual(upTo(count))
  })

  test('continues when the service is stopped and restarted, also from a pipe', async () => {
    const { url, data } = await serve()
    const running = startIngest(url)
    running.stdin.write(linesOf(0, 5_000))
    await untilStored(url, 'orders', 1_000)
    expect((await service?.stop())?.code).toBe(0)
    running.stdin.end(linesOf(5_000, 10_000))
    await until('ingest notices', () => running.stderr().includes('going on at line'))
    service = await startService({ data, env: { INGOT_LISTEN: new URL(url).host } })
    const { code, stdout } = await running.finished
    expect(code).toBe(0)
    // every item that the service accepted before it stopped got a result
    expect(JSON.parse(stdout)).toMatchObject({ complete: true, items: 10_000, created: 10_000, duplicate: 0 })
    expect(await storedNumbers(url, 'orders')).toEqual(upTo(10_000))
  })

  test('reads gzip, from a file and from a pipe', async () => {
    const { url } = await serve()
    const compressed = gzipSync(linesOf(0, 2_000))
    const file = fileOf('orders.ndjson.gz', compressed)
    const { code, stdout } = await startIngest(url, file).finished
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, created: 2_000 })
    const piped = startIngest(url)
    piped.stdin.end(compressed)
    expect(JSON.parse((await piped.finished).stdout)).toMatchObject({ created: 0, duplicate: 2_000 })
    expect(await storedNumbers(url, 'orders')).toEqual(upTo(2_000))
  })

  test('refuses a gzip file with zero bytes between members, and counts the items saved before', async () => {
    const { url } = await serve()
    const first = gzipSync(linesOf(0, 3_000))
    const file = fileOf('torn.gz', Buffer.concat([first, Buffer.alloc(512), gzipSync(linesOf(3_000, 4_000))]))
    const { code, stdout, stderr } = await startIngest(url, file).finished
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 1, complete: false, created: 3_000, failed: 0 })
    expect(stderr).toContain('ended after line 3,000\n')
    expect(stderr).toContain(
      `a gzip member ends at byte ${first.length}, and the data at byte ${first.length + 512} is`,
    )
    expect(await storedNumbers(url, 'orders')).toEqual(upTo(3_000))
  })

  test('lists the lines that failed, saves the others, and exits 1', async () => {
    const { url } = await serve()
    const bad = Array.from({ length: 25 }, () => '{bad}\n').join('')
    const file = fileOf('bad.ndjson', `${linesOf(0, 2)}\n${bad}${linesOf(2, 3)}`)
    const { code, stdout, stderr } = await runIngot(['ingest', file, '--to', url, '-c', 'orders'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^28 items: 3 created, 0 duplicate, 25 failed \(/)
    const shown = stderr.trimEnd().split('\n')
    expect(shown.length).toBe(21)
    expect(shown[0]).toMatch(/^line 4: JSON_INVALID: /)
    expect(shown[19]).toMatch(/^line 23: /)
    expect(shown[20]).toBe('... and 5 more failed lines')
    expect(await storedNumbers(url, 'orders')).toEqual([0, 1, 2])
  })

  test('reports its progress when Ctrl-C ends it, and exits 4', async () => {
    const { url } = await serve()
    const running = startIngest(url)
    running.stdin.write(linesOf(0, 500))
    await untilStored(url, 'orders', 500)
    running.kill('SIGINT')
    const { code, stdout, stderr } = await running.finished
    expect(code).toBe(4)
    const summary = JSON.parse(stdout) as { items: number }
    expect(summary).toMatchObject({ complete: false })
    expect(stderr).toContain(`aborted after line ${summary.items}`)
  })

  test.each([
    [['/nowhere/orders.ndjson'], /cannot read "\/nowhere\/orders.ndjson"/],
    [['/'], /cannot read "\/": it is a folder/],
    [['-', '--retry-for', 'soon'], /--retry-for is "soon"/],
    [['-', '--token-file', '/nowhere/token'], /CONFIG_INVALID: --token-file: "\/nowhere\/token" cannot be read/],
    [['-', '--to', 'localhost:8080'], /--to is "localhost:8080", write an address such as http/],
  ])('refuses %j before sending anything, with exit code 2', async (more, message) => {
    const { code, stderr } = await runIngot(['ingest', '--to', 'http://127.0.0.1:1', '-c', 'orders', ...more])
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })

  test('reports a refused connection once, and a wrong protocol', async () => {
    const { url } = await serve()
    const file = fileOf('once.ndjson', linesOf(0, 1))
    const https = await runIngot(['ingest', file, '--to', url.replace('http', 'https'), '-c', 'orders'])
    expect(https).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`does not use TLS: write ${url}, or the port that serves https\n`) as string,
    })
    await service?.kill()
    const { stderr } = await runIngot(['ingest', file, '--to', url, '-c', 'orders', '--retry-for', '3s'])
    expect(stderr.match(/ECONNREFUSED[^\n]*; retrying for 3 s, going on at line 1\n/g)).toHaveLength(1)
    expect(stderr.match(/ECONNREFUSED/g)).toHaveLength(2)
  })

  test('does not retry a request that is refused permanently', async () => {
    const { url } = await serve()
    const { code, stderr } = await runIngot(['ingest', fileOf('one.ndjson', '1\n'), '--to', url, '-c', 'Orders!'])
    expect(code).toBe(1)
    expect(stderr).toContain('answered 422 COLLECTION_NAME_INVALID')
    expect(stderr).not.toContain('going on')
  })

  test('sends its token, from a file or the environment, and reports a missing one', async () => {
    const token = 'a-token-that-nobody-guesses'
    const sha256 = createHash('sha256').update(token).digest('hex')
    const tokens = { tokens: [{ name: 'loader', sha256, collections: { orders: ['read', 'write'] } }] }
    const data = newFolder()
    service = await startService({ data, env: { INGOT_TOKENS_FILE: fileOf('tokens.json', JSON.stringify(tokens)) } })
    const args = ['ingest', fileOf('some.ndjson', linesOf(0, 3)), '--to', service.url, '-c', 'orders']

    const refused = await runIngot(args)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('401 TOKEN_MISSING')
    expect((await runIngot(args, { INGOT_TOKEN: token })).stdout).toContain('3 created')
    expect((await runIngot([...args, '--token-file', fileOf('token', `${token}\n`)])).stdout).toContain('3 duplicate')
    const odd = await runIngot([...args, '--token-file', fileOf('odd', 'two\nlines')])
    expect(odd.code).toBe(2)
    expect(odd.stderr).not.toContain('lines\n')
  })

  test('gives up after the retry time when nothing listens, and reports it', async () => {
    const { url } = await serve()
    await service?.kill()
    const file = fileOf('few.ndjson', linesOf(0, 3))
    const { code, stderr } = await runIngot(['ingest', file, '--to', url, '-c', 'orders', '--retry-for', '1s'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/REMOTE_UNREACHABLE: no connection to http:\S+: connect ECONNREFUSED/)
  })
})

describe('export', () => {
  test('writes items unchanged, bytes in base64, to a file that appears only when complete', async () => {
    const { url } = await serve()
    const to = `${url}/v1/collections/mixed/items`
    await fetch(to, { method: 'POST', body: '{"n": 1.0,\n"b":[]}', headers: { 'content-type': 'application/json' } })
    await fetch(to, { method: 'POST', body: '\0raw', headers: { 'content-type': 'application/octet-stream' } })
    const folder = newFolder()
    const out = join(folder, 'mixed.ndjson')
    expect(await runIngot(['export', '--from', url, '-c', 'mixed', '-o', out])).toEqual({
      code: 0,
      stdout: '',
      stderr: '2 items\n',
    })
    const [first = '', second = '', last] = readFileSync(out, 'utf8').split('\n')
    expect(first).toMatch(/^\{"id":"j1-[0-9a-f]{64}",.*"content":\{"n": 1.0, "b":\[\]\}\}$/)
    expect(JSON.parse(second)).toMatchObject({
      media: 'application/octet-stream',
      base64: Buffer.from('\0raw').toString('base64'),
    })
    expect(last).toBe('')
    expect(await readdir(folder)).toEqual(['mixed.ndjson'])
  })

  test('keeps the former file unless it receives the export of an existing collection', async () => {
    const { url } = await serve()
    const out = fileOf('earlier.ndjson', 'earlier')
    const missing = await runIngot(['export', '--from', url, '-c', 'odrers', '-o', out])
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('there is no collection "odrers"')])
    await using portal = await respondWith((response) => response.setHeader('content-type', 'text/html').end('<html>'))
    const login = await runIngot(['export', '--from', portal.url, '-c', 'orders', '-o', out])
    expect([login.code, login.stderr]).toEqual([1, expect.stringContaining('sent no export but text/html')])
    expect(readFileSync(out, 'utf8')).toBe('earlier')
  })

  test('follows links, writes to devices and pipes, and replaces none of them', async () => {
    const { url } = await serve()
    await runIngot(['ingest', fileOf('one.ndjson', '{"n":0}\n'), '--to', url, '-c', 'orders'])
    const exportTo = (out: string) => runIngot(['export', '--from', url, '-c', 'orders', '-o', out])
    const folder = newFolder()
    const at = (name: string): string => join(folder, name)
    const [target, link, dangling, pipe] = [at('target'), at('link'), at('dangling'), at('pipe')]

    writeFileSync(target, 'earlier', { mode: 0o600 })
    symlinkSync('target', link)
    symlinkSync('made', dangling)
    for (const path of [link, dangling]) {
      expect((await exportTo(path)).code).toBe(0)
      expect(lstatSync(path).isSymbolicLink()).toBe(true)
      expect(readFileSync(path, 'utf8')).toMatch(/^\{"id":.*"n":0\}\}\n$/)
    }
    expect(statSync(target).mode & 0o777).toBe(0o600)
    expect((await readdir(folder)).toSorted()).toEqual(['dangling', 'link', 'made', 'target'])

    expect((await exportTo('/dev/null')).code).toBe(0)
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
    expect(await exportTo('/dev/full')).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOSPC') as string })
    expect((await exportTo('/dev/stdout')).stdout).toMatch(/"n":0\}\}\n$/)

    spawnSync('mkfifo', [pipe])
    const exporting = exportTo(pipe)
    const reading = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'ignore'] })
    expect(await text(reading.stdout)).toMatch(/"n":0\}\}\n$/)
    expect((await exporting).code).toBe(0)
    expect(lstatSync(pipe).isFIFO()).toBe(true)
  })

  test('ends on Ctrl-C while it waits for the reader of a pipe', async () => {
    const { url } = await serve()
    const pipe = join(newFolder(), 'pipe')
    spawnSync('mkfifo', [pipe])
    const running = startIngot(['export', '--from', url, '-c', 'orders', '-o', pipe])
    await until('export waits', () => running.stderr().includes('waiting for a reader'))
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(4)
  })

  test('leaves no file when it fails', async () => {
    const { url } = await serve()
    const folder = newFolder()
    const { code, stderr } = await runIngot(['export', '--from', url, '-c', 'No!', '-o', join(folder, 'x.ndjson')])
    expect(code).toBe(1)
    expect(stderr).toContain('COLLECTION_NAME_INVALID')
    expect(await readdir(folder)).toEqual([])
    await runIngot(['ingest', fileOf('none.ndjson', '1\n'), '--to', url, '-c', 'none'])
    const nowhere = await runIngot(['export', '--from', url, '-c', 'none', '-o', join(folder, 'no', 'x.ndjson')])
    expect(nowhere.code).toBe(1)
    expect(nowhere.stderr).toContain('OUTPUT_UNWRITABLE')
    const taken = await runIngot(['export', '--from', url, '-c', 'none', '-o', folder])
    expect(taken.code).toBe(1)
    expect(taken.stderr).toMatch(/^OUTPUT_UNWRITABLE: cannot write ".*": EISDIR/)
    expect(await readdir(join(folder, '..'))).not.toContainEqual(expect.stringContaining('.part'))
  })
})

describe('verify', () => {
  test('accepts a stopped folder, refuses one in use, and names a changed content', async () => {
    const { url, data } = await serve()
    await runIngot(['ingest', fileOf('sound.ndjson', linesOf(0, 100)), '--to', url, '-c', 'orders'])
    const used = await runIngot(['verify', '--data', data])
    expect(used.code).toBe(2)
    expect(used.stderr).toMatch(/STORE_LOCKED: data folder ".*" is in use by process \d+/)

    // killed, so that the newest items are only in the log
    await service?.kill()
    expect(await runIngot(['verify', '--data', data])).toEqual({
      code: 0,
      stdout: 'collection orders: 100 items\nkept answers: 0\nsound\n',
      stderr: '',
    })

    const db = new DatabaseSync(join(data, 'items.sqlite'))
    db.exec("UPDATE items SET content = CAST(replace(CAST(content AS TEXT), ':7,', ':8,') AS BLOB)")
    db.close()
    const changed = await runIngot(['verify', '--data', data])
    expect(changed.code).toBe(1)
    expect(changed.stdout).toMatch(
      /problem: the item at place \d+ of collection "orders" has id j1-.*, but the id of its content is j1-/,
    )
    expect(changed.stdout).toMatch(/\n1 problems\n$/)
  })

  test('refuses a folder without a store', async () => {
    const { code, stderr } = await runIngot(['verify', '--data', newFolder()])
    expect(code).toBe(2)
    expect(stderr).toMatch(/CONFIG_INVALID: there is no items.sqlite in/)
  })
})

test('openapi prints the same document as a running service serves', async () => {
  const { url } = await serve()
  const { code, stdout } = await runIngot(['openapi'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual(await (await fetch(`${url}/openapi.json`)).json())
  expect(JSON.parse(stdout)).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) as string })
})

test.skipIf(!existsSync('/dev/full')).each(['openapi', '--help'])('%s reports that its output is full', (args) => {
  const line = `"${process.execPath}" src/cli.ts ${args} > /dev/full`
  const { status, stderr } = spawnSync('sh', ['-c', line], {
    cwd: join(import.meta.dirname, '..', '..'),
    encoding: 'utf8',
  })
  expect(stderr).toMatch(/^OUTPUT_UNWRITABLE: cannot write to standard output: ENOSPC[^\n]*\n$/)
  expect(status).toBe(1)
})

test('prints the version of the package', async () => {
  const { code, stdout } = await runIngot(['--version'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})
