/** Tests how files/redis/handover.sh ends when it cannot hand over, in a real shell with a scripted redis-cli. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { CHART } from './helm.ts'

const SCRIPT = join(CHART, 'files', 'redis', 'handover.sh')
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

interface Result {
  readonly status: number | null
  readonly err: string
  /** Calls of redis-cli, a line each. */
  readonly calls: string
}

/** Runs handover.sh. `replies` is the body of a shell `case` on the arguments of redis-cli, and prints its replies. */
function handOver(replies: string, env: Readonly<Record<string, string>> = {}, files: readonly string[] = []): Result {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-handover-'))
  folders.push(folder)
  for (const name of ['run', 'data', 'auth']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'auth', 'admin-password'), 'secret')
  for (const file of files) writeFileSync(join(folder, 'data', file), '')
  const cli = join(folder, 'cli')
  writeFileSync(cli, `#!/bin/sh\necho "$*" >>${folder}/calls\ncase "$*" in\n${replies}\nesac\n`)
  chmodSync(cli, 0o755)
  const { status, stderr } = spawnSync('sh', [SCRIPT], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'] ?? '',
      RUN: join(folder, 'run'),
      DATA: join(folder, 'data'),
      AUTH: join(folder, 'auth'),
      REDIS_CLI: cli,
      REDIS_SERVER: 'redis-server',
      TLS: 'false',
      MODE: 'sentinel',
      HANDOVER_S: '1',
      REDIS_SET: 'r',
      REDIS_COUNT: '3',
      REDIS_DOMAIN: 'd',
      REDIS_PORT: '1',
      MIN_REPLICAS: '1',
      SELF: 'r-0.d',
      SENTINEL_SET: 's',
      SENTINEL_COUNT: '1',
      SENTINEL_DOMAIN: 'd',
      SENTINEL_PORT: '2',
      MASTER_NAME: 'm',
      ...env,
    },
  })
  const calls = spawnSync('cat', [join(folder, 'calls')], { encoding: 'utf8' }).stdout
  return { status, err: stderr, calls }
}

const PRIMARY = `*ROLE) echo master ;;
  *"INFO replication") printf 'role:master\\nmaster_repl_offset:5\\nslave0:ip=r-1.d,port=1,state=online,offset=5\\n' ;;`

test('fails and names the user if the login is refused', () => {
  const { status, err } = handOver('*) echo "NOAUTH Authentication required." ;;')
  expect(status).toBe(1)
  expect(err).toContain('this server refused the login of the user admin (NOAUTH Authentication required.)')
})

test('names a Sentinel that refuses the login', () => {
  const { status, err } = handOver(`${PRIMARY}\n *CKQUORUM*) echo "WRONGPASS invalid" ;;`)
  expect([status, err]).toEqual([1, expect.stringContaining('s-0.d: WRONGPASS invalid') as string])
})

test('fails for a primary without a replica in sync, and does not pause writes', () => {
  const { status, err, calls } = handOver('*ROLE) echo master ;; *"INFO replication") echo role:master ;;')
  expect([status, err]).toEqual([1, expect.stringContaining('not handed over: no replica is in sync') as string])
  expect(calls).not.toContain('PAUSE')
})

test('succeeds if no server is running', () => {
  expect(handOver('none) ;;').status).toBe(0)
})

test('ends at once, before HANDOVER_S, if another pod waits for the volume', () => {
  const { status, err } = handOver(PRIMARY, { HANDOVER_S: '600' }, ['.wanted'])
  expect([status, err]).toEqual([0, expect.stringContaining('another pod waits for this volume') as string])
})

const sentinel = (priority: string): string => `${PRIMARY}
  *CKQUORUM*) echo OK ;;
  *"SENTINEL REPLICAS"*) printf 'name\\nx\\nip\\nr-1.d\\nflags\\nslave\\nmaster-link-status\\nok\\nslave-priority\\n100\\n' ;;
  *"r-1.d"*"GET replica-priority") printf 'replica-priority\\n${priority}\\n' ;;`

test('does not choose a replica that is departing too', () => {
  const { status, err, calls } = handOver(sentinel('0'))
  expect([status, err]).toEqual([1, expect.stringContaining('a replica to promote that stays') as string])
  expect(calls).not.toContain('FAILOVER')
})

test('chooses a replica that stays, and excludes this server from later elections', () => {
  const replies = `${sentinel('100')} *"FAILOVER m") echo "NOGOODSLAVE" ;;`
  const calls = handOver(
    replies.replace('*"INFO', '*"-h r-1.d"*"INFO replication") echo slave_repl_offset:5 ;; *"INFO'),
  ).calls
  expect(calls).toContain('CONFIG SET replica-priority 0')
  expect(calls).toContain('SENTINEL FAILOVER m')
  expect(calls.trim().split('\n').at(-1)).toContain('CLIENT UNPAUSE')
})
