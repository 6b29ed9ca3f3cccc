/** The output of commands to terminals, to pipes whose reader closes, and to full disks. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ROOT } from '../../drill/checkout.ts'
import { temporaryFolder } from '../../testing/folder.ts'
import { respondWith } from '../../testing/http/fixed-response.ts'
import { endProcesses, runIngot, startIngot } from '../../testing/process.ts'
import { type Service, startService } from '../../testing/service.ts'

const root = temporaryFolder()
endProcesses()

let service: Service
beforeAll(async () => {
  service = await startService({ data: join(root, 'data') })
  const many = fileOf('many.ndjson', Array.from({ length: 20_000 }, (_, n) => `{"n":${n}}\n`).join(''))
  expect((await runIngot(['ingest', many, '--to', service.url, '-c', 'many'])).code).toBe(0)
})
afterAll(() => service.kill())

function fileOf(name: string, content: string): string {
  const path = join(root, name)
  writeFileSync(path, content)
  return path
}

/** Runs a line of bash in which `ingot` is the command. Returns its output. */
function bash(line: string): { readonly status: number | null; readonly stdout: string } {
  const script = `ingot() { "${process.execPath}" "${join(ROOT, 'src', 'cli.ts')}" "$@"; }; ${line}`
  return spawnSync('bash', ['-c', script], { encoding: 'utf8', timeout: 60_000 })
}

describe('a reader that closes the pipe', () => {
  test('does not turn failed lines into success', () => {
    const bad = fileOf('bad.ndjson', `${'{bad}\n'.repeat(50)}{"n":1}\n`)
    const { stdout } = bash(`ingot ingest ${bad} --to ${service.url} -c left 2>&1 | head -1; echo "\${PIPESTATUS[0]}"`)
    expect(stdout).toMatch(/^line 1: JSON_INVALID: [^\n]*\n1\n$/)
  })

  test.each([['2>&1 | true'], ['| true'], ['>&- 2>&-'], ['2>&-'], ['<&- >&- 2>&-']])(
    'does not change the exit code: %s',
    (redirection) => {
      const bad = fileOf('one-bad.ndjson', '{bad}\n{"n":2}\n')
      const ingest = `ingot ingest ${bad} --to ${service.url} -c left --json ${redirection}`
      expect(bash(`${ingest}; exit "\${PIPESTATUS[0]}"`).status).toBe(1)
      const good = fileOf('good.ndjson', '{"n":2}\n')
      expect(
        bash(`ingot ingest ${good} --to ${service.url} -c left ${redirection}; exit "\${PIPESTATUS[0]}"`).status,
      ).toBe(0)
    },
  )

  test('ends an export early, without a failure', () => {
    const { stdout } = bash(`ingot export --from ${service.url} -c many | head -1; echo "\${PIPESTATUS[0]}"`)
    expect(stdout).toMatch(/^\{"id":[^\n]*\n0\n$/)
  })
})

const HOSTILE = 'a\x1b]0;title\x07\x9b2J\r\u202eb\nline 9: forged'
const ESCAPED = 'a\\u001b]0;title\\u0007\\u009b2J\\u000d\\u202eb\\u000aline 9: forged'

describe('control characters from outside', () => {
  const UNSAFE = /[\p{Cc}\p{Bidi_Control}]/u

  function expectSafe(...texts: readonly string[]): void {
    for (const text of texts) expect(text.replaceAll('\n', '')).not.toMatch(UNSAFE)
  }

  test('are escaped in a refusal of the service', async () => {
    const problem = JSON.stringify({ code: HOSTILE, detail: HOSTILE, title: HOSTILE })
    await using server = await respondWith((response) => response.writeHead(400).end(problem))
    for (const command of [
      ['export', '--from'],
      ['ingest', fileOf('any', '1\n'), '--to'],
    ]) {
      const { code, stdout, stderr } = await runIngot([...command, server.url, '-c', 'orders'])
      expect(code).toBe(1)
      expect(stderr).toContain(ESCAPED)
      expectSafe(stdout, stderr)
    }
  })

  test('are escaped in the result of a line', async () => {
    const failed = JSON.stringify({ line: 1, error: { code: HOSTILE, detail: HOSTILE } })
    const summary = '{"summary":{"created":0,"duplicate":0,"failed":1}}'
    await using server = await respondWith(
      (response) => void setTimeout(() => response.end(`${failed}\n${summary}\n`), 300),
    )
    const { code, stdout, stderr } = await runIngot([
      'ingest',
      fileOf('any', '1\n'),
      '--to',
      server.url,
      '-c',
      'orders',
    ])
    expect(code).toBe(1)
    expect(stderr).toContain(`line 1: ${ESCAPED}: ${ESCAPED}\n`)
    expectSafe(stdout, stderr)
  })

  test('are escaped in arguments, settings and file names', async () => {
    const calls = [
      [`\x1b[2J`],
      ['ingest', '\x1b[2J', '--to', 'http://127.0.0.1:1', '-c', 'x'],
      ['ingest', '-', '--to', 'a\x9b', '-c', 'x'],
      ['verify', '--data', join(root, '\x1b\x07')],
    ]
    for (const args of calls) {
      const { code, stdout, stderr } = await runIngot(args)
      expect(code).toBe(2)
      expect(stderr).toMatch(/\\u00(1b|9b)/)
      expectSafe(stdout, stderr)
    }
  })

  test('are escaped in exported items on a terminal, and kept in a file', async () => {
    const item = JSON.stringify({ text: 'x\u009b2Jy\u202e\u007f' })
    expect((await runIngot(['ingest', fileOf('item', `${item}\n`), '--to', service.url, '-c', 'controls'])).code).toBe(
      0,
    )
    const kept = await runIngot(['export', '--from', service.url, '-c', 'controls'])
    expect(kept.stdout).toContain(item)
    const line = `"${process.execPath}" "${join(ROOT, 'src', 'cli.ts')}" export --from ${service.url} -c controls`
    const { stdout, error } = spawnSync('script', ['-qec', line, '/dev/null'], { encoding: 'utf8' })
    if (error !== undefined) return
    expect(stdout).toContain('x\\u009b2Jy\\u202e\\u007f')
    expectSafe(stdout.replaceAll('\r', ''))
  })
})

/** Mounts a file system that is read-only or limited to `size`. */
function mounted(options: string): string | undefined {
  const folder = mkdtempSync(join(root, 'mount-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
  if (status !== 0) return undefined
  onTestFinished(() => void spawnSync('umount', ['-l', folder]))
  return folder
}

describe('a data folder', () => {
  test('is refused at once if it is impossible, and SIGTERM ends the wait for one', async () => {
    const running = startIngot(['serve'], { INGOT_DATA: '/proc/x/y', INGOT_LISTEN: '127.0.0.1:0' })
    const { code, stderr } = await running.finished
    expect(stderr).toMatch(
      /^CONFIG_INVALID: INGOT_DATA: cannot create a data folder at "\/proc\/x\/y": ENOENT[^\n]*\n {2}[^\n]*\n$/,
    )
    expect(code).toBe(2)
  })

  test('on a read-only file system is refused with that reason', async ({ skip }) => {
    const folder = mounted('ro') ?? skip('this user may not mount a file system')
    for (const data of [folder, join(folder, 'data')]) {
      const { code, stderr } = await runIngot(['serve'], { INGOT_DATA: data, INGOT_LISTEN: '127.0.0.1:0' })
      expect(stderr).toMatch(
        /^CONFIG_INVALID: INGOT_DATA: [^\n]*EROFS[^\n]*\n {2}the file system is mounted read-only: [^\n]*\n$/,
      )
      expect(code).toBe(2)
    }
    const out = await runIngot(['export', '--from', service.url, '-c', 'many', '-o', join(folder, 'x')])
    expect(out.stderr).toMatch(/^OUTPUT_UNWRITABLE: [^\n]*EROFS[^\n]*\n {2}the file system is mounted read-only/)
  })

  test('on a full disk, and a file there, are refused with that reason', async ({ skip }) => {
    const folder = mounted('size=64k') ?? skip('this user may not mount a file system')
    writeFileSync(join(folder, 'earlier'), 'earlier')
    const out = await runIngot(['export', '--from', service.url, '-c', 'many', '-o', join(folder, 'earlier')])
    expect(out.stderr).toMatch(/^OUTPUT_UNWRITABLE: [^\n]*ENOSPC[^\n]*\n {2}the disk is full: [^\n]*\n$/)
    expect(spawnSync('ls', [folder], { encoding: 'utf8' }).stdout).toBe('earlier\n')
    const data = join(folder, 'data')
    mkdirSync(data)
    const { code, stderr } = await runIngot(['serve'], { INGOT_DATA: data, INGOT_LISTEN: '127.0.0.1:0' })
    expect(stderr).toMatch(/\n {2}the disk is full: [^\n]*\n$/)
    expect(stderr).not.toContain('INTERNAL')
    expect(code).toBe(1)
  })
})
