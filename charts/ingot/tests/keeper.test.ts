/** What the loop beside a Redis server makes of answers, of none, and of refusals: by the shell, with a redis-cli that plays. */
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

interface Ran {
  readonly out: string
  /** The commands that redis-cli was called with, a line each; its password is the first word. */
  readonly calls: string
}

interface Scene {
  /** The body of a shell `case` on "PASSWORD OPTIONS COMMAND". */
  readonly answers: string
  readonly files?: Readonly<Record<string, string>>
}

function run(script: string, { answers, files = {} }: Scene): Ran {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-keeper-'))
  folders.push(folder)
  for (const name of ['run', 'run/current', 'run/previous', 'data', 'auth', 'settings']) mkdirSync(join(folder, name))
  const all = { 'auth/admin-password': 'secret', calls: '', ...files }
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text)
  const cli = join(folder, 'cli')
  const call = `"$REDISCLI_AUTH $*"`
  writeFileSync(cli, `#!/bin/sh\necho ${call} >>${folder}/calls\ncase ${call} in\n${answers}\nesac\n`)
  chmodSync(cli, 0o755)
  const parts = ['lib', 'plans', 'passwords', 'guide', 'cluster', 'sentinel'].map((name) => `. ${SCRIPTS}/${name}.sh`)
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

describe('the opinion of a Sentinel', () => {
  test.each([
    ['that names a master', '*) echo r-1.d; echo 6379 ;;', 'r-1.d'],
    ['that knows none', '*) echo ;;', '-'],
    ['that does not answer', 'none) ;;', '?'],
    ['that refuses the login', '*) echo "NOAUTH Authentication required." ;;', '?'],
  ])('%s', (_what, answers, opinion) => {
    expect(run('opinion_of s-0.d', { answers }).out).toBe(opinion)
  })
})

describe('a server that follows nobody', () => {
  const info = "printf 'role:slave\\nmaster_host:127.0.0.1\\nmaster_link_status:down\\n'"
  const place = 'find_place "$(me INFO replication)" || :'

  test('leads when a majority of the Sentinels calls it the master', () => {
    const answers = `*GET-MASTER*) echo r-0.d ;; *INFO*) ${info} ;;`
    expect(run(place, { answers }).calls).toContain('REPLICAOF NO ONE')
  })

  test('follows whom the majority names', () => {
    const answers = `*GET-MASTER*) echo r-2.d ;; *INFO*) ${info} ;;`
    expect(run(place, { answers }).calls).toContain('REPLICAOF r-2.d 1')
  })

  test('stays where it is while the Sentinels are silent', () => {
    expect(run(place, { answers: `*GET-MASTER*) ;; *INFO*) ${info} ;;` }).calls).not.toContain('REPLICAOF')
  })
})

describe('a replica whose master is gone', () => {
  const info = (link: string) =>
    `"$(printf 'role:slave\\nmaster_host:r-1.d\\nmaster_link_status:${link}\\nmaster_sync_in_progress:0')"`

  test('follows the successor that a majority names', () => {
    const { calls } = run(`in_step ${info('down')} || :`, { answers: '*GET-MASTER*) echo r-2.d ;;' })
    expect(calls).toContain('REPLICAOF r-2.d 1')
  })

  test('does not while the link is up, or fewer name one', () => {
    expect(run(`in_step ${info('up')}`, { answers: '*) echo r-2.d ;;' }).calls).toBe('')
    const one = run(`in_step ${info('down')} || :`, { answers: '*s-0.d*GET-MASTER*) echo r-2.d ;;' })
    expect(one.calls).not.toContain('REPLICAOF')
  })
})

describe('a password that changes', () => {
  const files = {
    'auth/admin-password': 'new',
    'run/current/admin-password': 'old',
    'settings/users.redis': 'admin admin +@all\n',
    'data/.passwords': 'admin olddigest 0\n',
  }
  const knowsOld = 'new*) echo "NOAUTH Authentication required." ;; old*) echo OK ;;'

  test('a server that has not read it is asked with the one before', () => {
    expect(run('me PING', { answers: knowsOld, files }).out).toBe('OK')
  })

  test('the server is made to accept it, and the one before stays', () => {
    const { out, calls } = run(
      'expired_at=0; load_passwords redis me; cat "$DATA/.passwords" "$RUN/current/admin-password"',
      {
        answers: knowsOld,
        files,
      },
    )
    expect(calls).toMatch(/^old .*ACL SETUSER admin on #[0-9a-f]{64}$/m)
    expect(calls).not.toContain('!')
    expect(out).toMatch(/^admin olddigest [1-9]\d+\nadmin [0-9a-f]{64} 0\nnew$/)
  })

  test('one that was replaced too long ago is taken away', () => {
    const { calls } = run('expired_at=0; load_passwords redis me', {
      answers: '*) echo OK ;;',
      files: { ...files, 'run/current/admin-password': 'new', 'data/.passwords': 'admin ancient 1\n' },
    })
    expect(calls).toContain('ACL SETUSER admin !ancient')
  })

  test('a start waits for a peer that refuses it, and says which', () => {
    const answers = `*r-1.d*) if [ -e "\${0%/*}/asked" ]; then echo PONG; else : >"\${0%/*}/asked"; echo WRONGPASS; fi ;; *) echo PONG ;;`
    const { calls } = run('await_login admin 1 r-1.d r-2.d 2>&1', { answers, files })
    expect(calls.match(/r-1\.d/g)).toHaveLength(2)
  })
})

describe('peers in a cluster that have to be met', () => {
  const node = (host: string, address: string, flags = 'slave', link = 'connected') =>
    `id ${address}:6379@16379,${host} ${flags} - 0 0 1 ${link}`
  const view = [
    node('r-1.d', '10.0.0.1'),
    node('r-2.d', '10.0.0.2', 'master,fail'),
    node('r-3.d', '10.0.0.3', 'master', 'disconnected'),
    node('r-4.d', '10.0.0.9'),
  ].join('\n')

  test('are those without a live link to where their names lead now', () => {
    const peers = [1, 2, 3, 4, 5].map((n) => `r-${n}.d 10.0.0.${n}`).join('\n')
    const { out } = run(`view='${view}'; echo '${peers}' | unmet`, { answers: 'none) ;;' })
    expect(out.split('\n')).toEqual(['r-2.d', 'r-3.d', 'r-4.d', 'r-5.d'])
  })

  test('are met at the address that they give themselves, with our password', () => {
    const { calls } = run(`view='${view}'; redis_hosts() { echo r-1.d; }; located() { echo "$1"; }; meet_peers || :`, {
      answers: '*announce-ip) echo cluster-announce-ip; echo 10.0.0.7 ;;',
    })
    expect(calls).toMatch(/^secret .*CLUSTER MEET 10\.0\.0\.7 1$/m)
  })
})
