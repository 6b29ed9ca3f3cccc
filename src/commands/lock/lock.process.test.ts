/** `ingot lock` with real commands, signals and a Redis server that is stopped. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { untilTrue } from '../../std/until.ts'
import { temporaryFolder } from '../../testing/folder.ts'
import { type Absent, present } from '../../testing/present.ts'
import { endProcesses, type Finished, type Running, runIngot, startIngot } from '../../testing/process.ts'
import { startLocalServer } from '../../testing/redis/local-server.ts'
import { findRedisPrograms } from '../../testing/redis/processes.ts'
import type { RedisServers } from '../../testing/redis/servers.ts'
import { freePorts } from '../../testing/tcp/ports.ts'

const root = temporaryFolder()
endProcesses()

let server: RedisServers | Absent
let redis: RedisServers
/** A folder of each test, for files that commands write. */
let folder = ''
let key = ''

beforeAll(async () => {
  server = await startLocalServer()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})
beforeEach(({ skip }) => {
  redis = present(server, skip)
  folder = mkdtempSync(join(root, 'test-'))
  key = folder.slice(-6)
})

const run = (...args: readonly string[]): Promise<Finished> =>
  runIngot(['lock', ...args], { INGOT_LOCK_URL: redis.url })
const start = (...args: readonly string[]): Running => startIngot(['lock', ...args], { INGOT_LOCK_URL: redis.url })
const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<unknown> =>
  untilTrue(what, async () => holds(), { withinMs: 60_000 })
const file = (name: string): string => join(folder, name)
const read = (name: string): string => readFileSync(file(name), 'utf8').trim()
const exists = (name: string): Promise<unknown> =>
  until(`${name} exists`, () => existsSync(file(name)) && read(name) !== '')

/** Returns false also for a zombie, which its parent has not collected. */
function isRunning(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/** A shell that writes its process id and that of a child of it, then runs `then`. */
const family = (then: string): string[] => [
  'sh',
  '-c',
  `sleep 300 & echo $! > ${file('grandchild')}; echo $$ > ${file('child')}; ${then}`,
]

const untilHeld = (): Promise<unknown> =>
  until('the lock is held', async () => (await run('--inspect', key)).stdout.startsWith('held'))

describe('the command', () => {
  test.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -KILL $$', 137],
    ['kill -TERM $$', 143],
  ])('that ends with "%s" gives exit code %i, and the lock is free again', async (script, code) => {
    expect(await run(key, '--', 'sh', '-c', script)).toEqual({ code, stdout: '', stderr: '' })
    expect((await run('--inspect', key)).stdout).toBe('free\n')
  })

  test('that does not exist gives 127, and one that is no program 126; the lock is free again', async () => {
    expect(await run(key, '--', 'no-such-program')).toMatchObject({ code: 127 })
    expect(await run(key, '--', '/etc/passwd')).toMatchObject({ code: 126 })
    expect(await run(key, '--no-wait', '--', 'true')).toMatchObject({ code: 0 })
  })

  test('has standard streams, and keeps its own options', async () => {
    const running = start(
      '--no-wait',
      key,
      '--ttl=9s',
      '--',
      'sh',
      '-c',
      'cat; echo "$@" >&2',
      'sh',
      '--help',
      '--',
      '-n',
    )
    running.stdin.end('input')
    expect(await running.finished).toEqual({ code: 0, stdout: 'input', stderr: '--help -- -n\n' })
  })

  test('has the key and a fence that rises, also inside another lock', async () => {
    const show = ['sh', '-c', 'echo $INGOT_LOCK_KEY $INGOT_LOCK_FENCE']
    const fences = [await run(key, '--', ...show), await run('--', ...show), await run(key, '--', ...show)]
    expect(fences[1]).toMatchObject({ code: 2, stderr: expect.stringContaining('KEY is missing') as string })
    const [first, third] = [fences[0], fences[2]].map((one) => /^(\S+) (\d+)\n$/.exec(one?.stdout ?? ''))
    expect([first?.[1], third?.[1]]).toEqual([key, key])
    expect(BigInt(third?.[2] ?? 0)).toBeGreaterThan(BigInt(first?.[2] ?? 0))
  })

  test('never runs beside another one, and all of them run', async () => {
    const script = `mkdir ${file('inside')} || exit 9; echo x >> ${file('runs')}; rmdir ${file('inside')}`
    const all = await Promise.all(Array.from({ length: 5 }, () => run(key, '--', 'sh', '-c', script)))
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    expect(read('runs').split('\n')).toHaveLength(5)
  })
})

describe('the wait', () => {
  test('ends with 75 if another holds the lock, and --inspect shows it', async () => {
    const holder = start(key, '--', 'cat')
    await untilHeld()
    expect(await run(key, '--no-wait', '--', 'true')).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('is held by another') as string,
    })
    expect(await run('--wait', '1s', key, '--', 'true')).toMatchObject({ code: 75 })
    const { code, stdout } = await run(key, '--inspect', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      key,
      state: 'held',
      remainingMs: expect.any(Number) as number,
      fence: expect.stringMatching(/^\d+$/) as string,
    })
    holder.stdin.end()
    expect(await holder.finished).toMatchObject({ code: 0 })
  })

  test('ends with 69 if the service does not respond; without --wait it goes on until the service does', async ({
    skip,
  }) => {
    present(await findRedisPrograms('redis-server'), skip)
    const [port = 0] = await freePorts(1)
    const env = { INGOT_LOCK_URL: `redis://127.0.0.1:${port}` }
    for (const option of [['--no-wait'], ['--wait', '1s']]) {
      const { code, stderr } = await runIngot(['lock', key, ...option, '--', 'true'], env)
      expect(code).toBe(69)
      expect(stderr).toContain('REDIS_UNREACHABLE')
    }
    expect(await runIngot(['lock', '--inspect', key], env)).toMatchObject({ code: 69 })
    const waiting = startIngot(['lock', key, '--', 'true'], env)
    await until('the outage is shown', () => waiting.stderr().includes('waiting for the lock service'))
    const late = spawn('redis-server', ['--port', String(port), '--save', ''], { stdio: 'ignore' })
    try {
      expect(await waiting.finished).toMatchObject({ code: 0 })
    } finally {
      late.kill('SIGKILL')
      await once(late, 'exit')
    }
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
    ['SIGUSR1', 138],
  ] as const)('ends by %s with %i, and leaves the queue', async (name, code) => {
    const holder = start(key, '--', 'cat')
    await untilHeld()
    const waiting = start(key, '--', 'touch', file('ran'))
    await until(
      'it waits',
      async () => (await redis.cli(redis.ports[0] ?? 0, 'keys', `*${key}*`)).split('\n').length > 1,
    )
    waiting.kill(name)
    expect(await waiting.finished).toMatchObject({ code, stderr: '' })
    holder.stdin.end()
    await holder.finished
    expect(await run(key, '--no-wait', '--', 'true')).toMatchObject({ code: 0 })
    expect(existsSync(file('ran'))).toBe(false)
  })
})

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)(
    '%s reaches the command, whose exit code counts',
    async (name) => {
      const short = name.slice(3)
      const running = start(key, '--', ...family(`trap 'kill $!; exit 42' ${short}; wait`))
      await exists('child')
      running.kill(name)
      expect(await running.finished).toMatchObject({ code: 42 })
    },
  )

  test('SIGTERM reaches the whole process group', async () => {
    const running = start(key, '--', ...family('wait'))
    await exists('child')
    running.kill('SIGTERM')
    expect(await running.finished).toMatchObject({ code: 143 })
    await until('the grandchild has ended', () => !isRunning(read('grandchild')))
  })

  test('a second signal does not leave the command behind', async () => {
    const running = start(key, '--', ...family(`trap 'echo $(date) >> ${file('terms')}' TERM; while :; do wait; done`))
    await exists('child')
    running.kill('SIGTERM')
    await exists('terms')
    running.kill('SIGTERM')
    await until('both arrived', () => read('terms').split('\n').length === 2)
    expect((await run('--inspect', key)).stdout).toMatch(/^held/)
    process.kill(-Number(read('child')), 'SIGKILL')
    expect(await running.finished).toMatchObject({ code: 137 })
  })
})

describe('a lost lock', () => {
  test('stops the command before another can hold the lock', async () => {
    const port = redis.ports[0] ?? 0
    const asked = `trap 'echo yes > ${file('asked')}' TERM; while :; do wait; done`
    const running = start(key, '--ttl', '4s', '--grace', '2s', '--', ...family(asked))
    await exists('child')
    // a stopped server keeps the lock, so no other holder is possible before it goes on
    await redis.signal(port, 'STOP')
    try {
      await until('the command has ended', () => !isRunning(read('child')))
      expect(read('asked')).toBe('yes')
      expect(isRunning(read('grandchild'))).toBe(false)
    } finally {
      await redis.signal(port, 'CONT')
    }
    expect(await running.finished).toMatchObject({
      code: 74,
      stderr: expect.stringContaining('could not be kept, and the command was stopped') as string,
    })
  })

  test('that another has taken kills the command at once', async () => {
    const running = start(key, '--ttl', '6s', '--', ...family('wait'))
    await exists('child')
    const port = redis.ports[0] ?? 0
    const name = (await redis.cli(port, 'keys', `*lock:${key}`)).trim()
    await redis.cli(port, 'set', name, 'AAAAAAAAAAAAAAAAAAAAAA:1')
    expect(await running.finished).toMatchObject({ code: 74 })
    expect([read('child'), read('grandchild')].map(isRunning)).toEqual([false, false])
    await redis.cli(port, 'del', name)
  })

  test('that was deleted gives 74 even if the command succeeds', async () => {
    const running = start(key, '--', 'sh', '-c', `echo $$ > ${file('child')}; cat`)
    await exists('child')
    const port = redis.ports[0] ?? 0
    await redis.cli(port, 'del', (await redis.cli(port, 'keys', `*lock:${key}`)).trim())
    running.stdin.end()
    expect(await running.finished).toMatchObject({
      code: 74,
      stderr: expect.stringContaining('the command ended with 0, but the lock') as string,
    })
  })

  test('of a killed ingot stops the command too', async () => {
    const running = start(key, '--ttl', '20s', '--grace', '1s', '--', ...family(`trap '' TERM; while :; do wait; done`))
    await exists('child')
    // the command may be seen before its guard knows of it
    await untilHeld()
    running.kill('SIGKILL')
    await running.finished
    await until('the command has ended', () => ![read('child'), read('grandchild')].some(isRunning))
    expect((await run('--inspect', key)).stdout).toMatch(/^held/)
  })
})

describe('flock, in comparison', () => {
  const lockFile = (): string => file('flock')

  test('gives 1 if another holds the lock, as a failed command does', async () => {
    const holder = spawn('flock', [lockFile(), 'sleep', '300'], { stdio: 'ignore', detached: true })
    await until('the lock is held', async () => (await flock('-n', lockFile(), 'true')) === 1)
    expect(await flock('-w', '0.1', lockFile(), 'true')).toBe(1)
    process.kill(-(holder.pid ?? 0), 'SIGKILL')
    await once(holder, 'exit')
    expect(await flock(lockFile(), 'false')).toBe(1)
  })

  test('that is ended by SIGTERM leaves its command running with the lock', async () => {
    const holder = spawn('flock', [lockFile(), ...family('wait')], { stdio: 'ignore', detached: true })
    await exists('child')
    holder.kill('SIGTERM')
    await once(holder, 'exit')
    expect(isRunning(read('child'))).toBe(true)
    expect(await flock('-n', lockFile(), 'true')).toBe(1)
    process.kill(-(holder.pid ?? 0), 'SIGKILL')
  })
})

async function flock(...args: readonly string[]): Promise<number> {
  const [code] = (await once(spawn('flock', args, { stdio: 'ignore' }), 'exit')) as [number]
  return code
}
