/** A PgBouncer in transaction mode, with fewer server connections than clients, so that transactions share connections. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'
import { untilAnswering } from './server.ts'

export interface PgBouncer extends AsyncDisposable {
  /** Returns the URL of a database through the pooler. */
  through(url: string): string
}

/** After this time a pooler ends by itself, in case its test was killed. */
const MAX_LIFE_SECONDS = 1_200
const START_MS = 10_000

function configOf(server: URL, port: number): string {
  return `
[databases]
* = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
log_connections = 0
log_disconnections = 0
`
}

/** Starts a pooler in front of a server, or returns the reason why it is absent. */
export async function startPgBouncer(serverUrl: string): Promise<PgBouncer | Absent> {
  if (spawnSync('pgbouncer', ['--version']).status !== 0) return { absent: 'no pgbouncer: install its package' }
  const folder = mkdtempSync(join(tmpdir(), 'ingot-bouncer-'))
  const [port = 0] = await freePorts(1)
  const config = join(folder, 'pgbouncer.ini')
  writeFileSync(config, configOf(new URL(serverUrl), port))
  // it does not run as root, so its user must be able to read this
  chmodSync(folder, 0o755)
  const asUser = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn('timeout', [String(MAX_LIFE_SECONDS), 'pgbouncer', ...asUser, config], { stdio: 'ignore' })
  const through = (url: string): string => Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href
  const ended = new AbortController()
  child.once('exit', (code) => ended.abort(new Error(`pgbouncer ended with ${code} at its start`)))
  await untilAnswering(through(serverUrl), { withinMs: START_MS, signal: ended.signal })
  return {
    through,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
