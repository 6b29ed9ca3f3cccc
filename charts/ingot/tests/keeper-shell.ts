/** Runs functions of the chart's scripts in a real shell, with a scripted redis-cli. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CHART } from './helm.ts'

const SCRIPTS = join(CHART, 'files', 'redis')

export interface KeeperResult {
  readonly out: string
  readonly err: string
  /** Calls of redis-cli, a line each. The first word is the password. */
  readonly calls: string
}

export interface KeeperSetup {
  /** Body of a shell `case` on "PASSWORD OPTIONS COMMAND" that prints the replies of redis-cli. */
  readonly replies: string
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
}

/** Sources all parts of keeper.sh, then runs the script. Throws its errors. */
export function runKeeper(script: string, { replies, files = {}, env = {} }: KeeperSetup): KeeperResult {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-keeper-'))
  try {
    return runIn(folder, script, { replies, files, env })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runIn(folder: string, script: string, { replies, files, env }: Required<KeeperSetup>): KeeperResult {
  for (const name of ['run', 'run/current', 'run/previous', 'data', 'auth', 'settings']) mkdirSync(join(folder, name))
  const all = { 'auth/admin-password': 'secret', calls: '', ...files }
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text)
  const cli = join(folder, 'cli')
  const call = `"$REDISCLI_AUTH $*"`
  writeFileSync(cli, `#!/bin/sh\necho ${call} >>${folder}/calls\ncase ${call} in\n${replies}\nesac\n`)
  chmodSync(cli, 0o755)
  const parts = ['lib', 'topology', 'passwords', 'operator', 'bootstrap-role', 'cluster', 'sentinel'].map(
    (name) => `. ${SCRIPTS}/${name}.sh`,
  )
  const { stdout, stderr, status } = spawnSync('sh', ['-euc', [...parts, script].join('\n')], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'] ?? '',
      RUN: join(folder, 'run'),
      DATA: join(folder, 'data'),
      AUTH: join(folder, 'auth'),
      SETTINGS: join(folder, 'settings'),
      REDIS_CLI: cli,
      TLS: 'false',
      MODE: 'sentinel',
      PERSISTENT: 'false',
      REDIS_SET: 'r',
      REDIS_COUNT: '3',
      REDIS_DOMAIN: 'd',
      REDIS_PORT: '1',
      MIN_REPLICAS: '1',
      SELF: 'r-0.d',
      SENTINEL_SET: 's',
      SENTINEL_COUNT: '3',
      SENTINEL_DOMAIN: 'd',
      SENTINEL_PORT: '2',
      MASTER_NAME: 'm',
      QUORUM: '2',
      ...env,
    },
  })
  if (status !== 0) throw new Error(stderr)
  return { out: stdout.trim(), err: stderr, calls: readFileSync(join(folder, 'calls'), 'utf8') }
}
