/** Tests the functions of keeper.sh in a real shell with a scripted redis-cli: replies, missing replies and refusals. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { CHART } from './helm.ts'

const SCRIPTS = join(CHART, 'files', 'redis')
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

interface Result {
  readonly out: string
  /** Calls of redis-cli, a line each. The first word is the password. */
  readonly calls: string
}

interface Setup {
  /** Body of a shell `case` on "PASSWORD OPTIONS COMMAND" that prints the replies of redis-cli. */
  readonly replies: string
  readonly files?: Readonly<Record<string, string>>
}

function run(script: string, { replies, files = {} }: Setup): Result {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-keeper-'))
  folders.push(folder)
  for (const name of ['run', 'run/current', 'run/previous', 'data', 'auth', 'settings']) mkdirSync(join(folder, name))
  const all = { 'auth/admin-password': 'secret', calls: '', ...files }
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text)
  const cli = join(folder, 'cli')
  const call = `"$REDISCLI_AUTH $*"`
  writeFileSync(cli, `#!/bin/sh\necho ${call} >>${folder}/calls\ncase ${call} in\n${replies}\nesac\n`)
  chmodSync(cli, 0o755)
  const parts = ['lib', 'topology', 'passwords', 'bootstrap-role', 'cluster', 'sentinel'].map(
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
    },
  })
  if (status !== 0) throw new Error(stderr)
  return { out: stdout.trim(), calls: readFileSync(join(folder, 'calls'), 'utf8') }
}

describe('the view of a Sentinel', () => {
  test.each([
    ['that names a primary', '*) echo r-1.d; echo 6379 ;;', 'r-1.d'],
    ['that knows none', '*) echo ;;', '-'],
    ['that does not respond', 'none) ;;', '?'],
    ['that refuses the login', '*) echo "NOAUTH Authentication required." ;;', '?'],
  ])('%s', (_what, replies, view) => {
    expect(run('sentinel_view_of s-0.d', { replies }).out).toBe(view)
  })
})

describe('a server without a primary', () => {
  const info = "printf 'role:slave\\nmaster_host:127.0.0.1\\nmaster_link_status:down\\n'"
  const bootstrap = 'bootstrap_role "$(local_cli INFO replication)" || :'

  test('becomes primary when a majority of the Sentinels names it', () => {
    const replies = `*GET-MASTER*) echo r-0.d ;; *INFO*) ${info} ;;`
    expect(run(bootstrap, { replies }).calls).toContain('REPLICAOF NO ONE')
  })

  test('follows the primary that the majority names', () => {
    const replies = `*GET-MASTER*) echo r-2.d ;; *INFO*) ${info} ;;`
    expect(run(bootstrap, { replies }).calls).toContain('REPLICAOF r-2.d 1')
  })

  test('keeps its role while no Sentinel responds', () => {
    expect(run(bootstrap, { replies: `*GET-MASTER*) ;; *INFO*) ${info} ;;` }).calls).not.toContain('REPLICAOF')
  })
})

describe('a replica whose link is down', () => {
  const info = (link: string) =>
    `"$(printf 'role:slave\\nmaster_host:r-1.d\\nmaster_link_status:${link}\\nmaster_sync_in_progress:0')"`

  test('follows the successor that a majority names', () => {
    const { calls } = run(`keep_in_sync ${info('down')} || :`, { replies: '*GET-MASTER*) echo r-2.d ;;' })
    expect(calls).toContain('REPLICAOF r-2.d 1')
  })

  test('does not follow it while the link is up, or without a majority', () => {
    expect(run(`keep_in_sync ${info('up')}`, { replies: '*) echo r-2.d ;;' }).calls).toBe('')
    const one = run(`keep_in_sync ${info('down')} || :`, { replies: '*s-0.d*GET-MASTER*) echo r-2.d ;;' })
    expect(one.calls).not.toContain('REPLICAOF')
  })
})

describe('when a password changes', () => {
  const files = {
    'auth/admin-password': 'new',
    'run/current/admin-password': 'old',
    'settings/users.redis': 'admin admin +@all\n',
    'data/.passwords': 'admin olddigest 0\n',
  }
  const knowsOld = 'new*) echo "NOAUTH Authentication required." ;; old*) echo OK ;;'

  test('the old one is used for a server that has not read the new one', () => {
    expect(run('local_cli PING', { replies: knowsOld, files }).out).toBe('OK')
  })

  test('the server accepts the new one, and still the old one', () => {
    const { out, calls } = run(
      'expired_at=0; load_passwords redis local_cli; cat "$DATA/.passwords" "$RUN/current/admin-password"',
      {
        replies: knowsOld,
        files,
      },
    )
    expect(calls).toMatch(/^old .*ACL SETUSER admin on #[0-9a-f]{64}$/m)
    expect(calls).not.toContain('!')
    expect(out).toMatch(/^admin olddigest [1-9]\d+\nadmin [0-9a-f]{64} 0\nnew$/)
  })

  test('one that was replaced too long ago is removed', () => {
    const { calls } = run('expired_at=0; load_passwords redis local_cli', {
      replies: '*) echo OK ;;',
      files: { ...files, 'run/current/admin-password': 'new', 'data/.passwords': 'admin ancient 1\n' },
    })
    expect(calls).toContain('ACL SETUSER admin !ancient')
  })

  test('the start waits for a peer that refuses the new one', () => {
    const replies = `*r-1.d*) if [ -e "\${0%/*}/asked" ]; then echo PONG; else : >"\${0%/*}/asked"; echo WRONGPASS; fi ;; *) echo PONG ;;`
    const { calls } = run('await_login admin 1 r-1.d r-2.d 2>&1', { replies, files })
    expect(calls.match(/r-1\.d/g)).toHaveLength(2)
  })
})

describe('peers in a cluster', () => {
  const node = (host: string, address: string, flags = 'slave', link = 'connected') =>
    `id ${address}:6379@16379,${host} ${flags} - 0 0 1 ${link}`
  const view = [
    node('r-1.d', '10.0.0.1'),
    node('r-2.d', '10.0.0.2', 'master,fail'),
    node('r-3.d', '10.0.0.3', 'master', 'disconnected'),
    node('r-4.d', '10.0.0.9'),
  ].join('\n')

  test('have to be met if there is no live link to their current address', () => {
    const peers = [1, 2, 3, 4, 5].map((n) => `r-${n}.d 10.0.0.${n}`).join('\n')
    const { out } = run(`view='${view}'; echo '${peers}' | unmet`, { replies: 'none) ;;' })
    expect(out.split('\n')).toEqual(['r-2.d', 'r-3.d', 'r-4.d', 'r-5.d'])
  })

  test('are met at the address that they report, with our password', () => {
    const { calls } = run(`view='${view}'; redis_hosts() { echo r-1.d; }; resolve() { echo "$1"; }; meet_peers || :`, {
      replies: '*announce-ip) echo cluster-announce-ip; echo 10.0.0.7 ;;',
    })
    expect(calls).toMatch(/^secret .*CLUSTER MEET 10\.0\.0\.7 1$/m)
  })
})
