/** bin/ingot.mjs on an old Node and on a new one: the launcher must be transparent, however the process ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ROOT } from '../drill/checkout.ts'
import { temporaryFolder } from '../testing/folder.ts'

const root = temporaryFolder()
const LAUNCHER = join(ROOT, 'bin', 'ingot.mjs')

/** Returns the path of a Node on this machine that is too old for ingot. */
function oldNode(): string | undefined {
  const { stdout } = spawnSync('/usr/bin/node', ['--version'], { encoding: 'utf8' })
  return /^v(1[6-9]|20|21)\./.test(stdout ?? '') ? '/usr/bin/node' : undefined
}

/** The ways to start it. Without execve it waits for a child process, as on an old Node. */
const WAYS = [
  ['a new Node', [process.execPath]],
  ['a new Node without execve', [process.execPath, '--import', 'data:text/javascript,delete process.execve']],
  ['an old Node', [oldNode() ?? '']],
] as const

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
})

function start(way: readonly string[], ...args: readonly string[]) {
  const [node = '', ...flags] = way
  // a separate process group, to be signalled as a terminal does
  const child = spawn(node, [...flags, LAUNCHER, ...args], { detached: true, stdio: 'pipe' })
  children.push(child)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text))
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => ({ code, signal, stdout, stderr }))
  const shows = async (text: string): Promise<void> => {
    while (!stderr.includes(text)) await once(child.stderr, 'data')
  }
  return { child, ended, shows }
}

/** An ingest that waits for a service, and reports it. */
const WAITING = ['ingest', '-', '--to', 'http://127.0.0.1:1', '-c', 'x', '--json']

describe.each(WAYS)('started by %s', (_what, way) => {
  const absent = way[0] === ''

  test('forwards arguments, output and exit codes', async ({ skip }) => {
    if (absent) skip('the machine has no Node below 22.19 at /usr/bin/node')
    expect(await start(way, '--version').ended).toMatchObject({
      code: 0,
      signal: null,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
      stderr: '',
    })
    const refused = await start(way, 'ingest', '--', '-a b\u00e4"').ended
    expect(refused).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('--to URL is missing') as string,
    })
  })

  test('forwards standard input and signals, sent to itself or to its process group', async ({ skip }) => {
    if (absent) skip('the machine has no Node below 22.19 at /usr/bin/node')
    for (const toGroup of [false, true]) {
      const { child, ended, shows } = start(way, ...WAITING)
      child.stdin.write('{"n":1}\n')
      await shows('no connection')
      process.kill(toGroup ? -(child.pid ?? 0) : (child.pid ?? 0), 'SIGINT')
      // the report shows that ingot ended in order, not by a second signal
      expect(await ended).toMatchObject({
        code: 4,
        signal: null,
        stdout: expect.stringContaining('"complete":false') as string,
      })
    }
  })

  test('ends by the same signal as ingot', async ({ skip }) => {
    if (absent) skip('the machine has no Node below 22.19 at /usr/bin/node')
    const { child, ended, shows } = start(way, ...WAITING)
    child.stdin.write('{"n":1}\n')
    await shows('no connection')
    process.kill(child.pid ?? 0, 'SIGHUP')
    expect(await ended).toMatchObject({ code: null, signal: 'SIGHUP' })
  })
})

test('without a suitable Node it names the required version, and exits 2', ({ skip }) => {
  const node = oldNode() ?? skip('the machine has no Node below 22.19 at /usr/bin/node')
  mkdirSync(join(root, 'bin'))
  cpSync(LAUNCHER, join(root, 'bin', 'ingot.mjs'))
  const { status, stdout, stderr } = spawnSync(node, [join(root, 'bin', 'ingot.mjs'), 'serve'], { encoding: 'utf8' })
  expect(stderr).toMatch(/^ingot needs Node 22\.19 or newer, and this is v\d+\.\d+\.\d+: run "npm ci" in [^\n]*\n$/)
  expect([status, stdout]).toEqual([2, ''])
})

test.each([
  ['serve --help', '--max-semi-space-size=16 --heap-growing-percent=60'],
  ['ingest --help', '--no-concurrent-recompilation'],
])('passes the V8 flags for %j', (line, flags) => {
  const show = 'data:text/javascript,process.stderr.write(`flags:${process.execArgv.join(String.fromCharCode(32))};`)'
  const { stderr, status } = spawnSync(process.execPath, [LAUNCHER, ...line.split(' ')], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: `--import=${show}` },
  })
  expect([status, stderr]).toEqual([0, `flags:;flags:${flags};`])
})

test('is the program that npx runs', () => {
  expect(readlinkSync(join(ROOT, 'node_modules', '.bin', 'ingot'))).toBe(join('..', '..', 'bin', 'ingot.mjs'))
})
