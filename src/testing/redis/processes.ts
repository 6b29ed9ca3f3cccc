/**
 * Redis servers as processes of this machine, for an installed version without an image. Each server ends with the process
 * that started it, for whatever reason.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Absent } from '../present.ts'
import { configFile, type RedisContainer, type ServerSpec } from './container.ts'

const execute = promisify(execFile)
const CLI_MS = 5_000

async function run([command = '', ...args]: readonly string[]): Promise<string> {
  const { stdout } = await execute(command, args, { timeout: CLI_MS })
  return stdout.trim()
}

/** Returns `{}` if the programs of `startProcesses` are installed, otherwise the programs to install. */
export async function findRedisPrograms(program: string): Promise<object | Absent> {
  for (const needed of [program, 'redis-cli', 'setpriv']) {
    const isThere = await run([needed, '--version']).then(
      () => true,
      () => false,
    )
    if (!isThere) return { absent: `cannot run "${needed}": install it` }
  }
  return {}
}

/**
 * Starts servers. `program` is a redis-server. The system ends them when this process ends, by means of setpriv(1). Rejects
 * if programs are missing.
 */
export async function startProcesses(program: string, specs: readonly ServerSpec[]): Promise<RedisContainer> {
  const found = await findRedisPrograms(program)
  if ('absent' in found) throw new Error(`${found.absent}, or name an image with a tag such as redis:8.0`)
  const base = mkdtempSync(join(tmpdir(), 'redis-'))
  const children = new Map<number, ChildProcess>()

  async function start({ port, kind, env = {} }: ServerSpec): Promise<void> {
    const mode = kind === 'sentinel' ? ['--sentinel'] : []
    const line = ['--pdeathsig', 'KILL', program, join(base, String(port), 'conf'), ...mode, '--daemonize', 'no']
    const child = spawn('setpriv', line, { stdio: 'ignore', env: { ...process.env, ...env } })
    children.set(port, child)
    await once(child, 'spawn')
  }
  const servers: RedisContainer = {
    exec: (...command) => run(command),
    cli: (port, ...args) => run(['redis-cli', '-p', String(port), ...args]),
    async signal(port, name) {
      const child = children.get(port)
      if (child?.exitCode !== null || child.signalCode !== null) throw new Error(`no server runs on port ${port}`)
      const ended = name === 'KILL' ? once(child, 'exit') : undefined
      child.kill(`SIG${name}`)
      await ended
    },
    async restart(port) {
      const spec = specs.find((one) => one.port === port)
      if (spec === undefined) throw new Error(`no server has port ${port}`)
      await start(spec)
    },
    async [Symbol.asyncDispose]() {
      for (const child of children.values()) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }
      rmSync(base, { recursive: true, force: true })
    },
  }
  try {
    for (const spec of specs) {
      const folder = join(base, String(spec.port))
      mkdirSync(folder)
      writeFileSync(join(folder, 'conf'), configFile(spec, folder))
      await start(spec)
    }
    return servers
  } catch (error) {
    await servers[Symbol.asyncDispose]()
    throw error
  }
}
