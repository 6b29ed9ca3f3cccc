/** Tests the functions of keeper.sh in a real shell with a scripted redis-cli: replies, missing replies and refusals. */
import { describe, expect, test } from 'vitest'
import { runKeeper as run } from './keeper-shell.ts'

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

test('a start without flock warns that the volume is not locked', () => {
  const { err } = run('command() { return 1; }; lock_volume', { replies: '' })
  expect(err).toContain('this image has no flock')
})

describe('a user whose password is not in the Secret', () => {
  const users = 'admin admin ~* +@all\noperator operator -@all +ping +client|list\n'
  const files = {
    'auth/admin-password': 'secret',
    'run/current/admin-password': 'secret',
    'settings/users.redis': users,
    'data/.passwords': '',
  }
  const PASSWORD = { 'auth/operator-password': 'key' }
  const acl = 'write_acl redis; cat "$RUN/users.acl"'

  test('is left out, so that the server starts', () => {
    const { out } = run(acl, { replies: '', files })
    expect(out).toMatch(/^user admin on #[0-9a-f]{64} sanitize-payload ~\* \+@all$/m)
    expect(out).not.toContain('operator')
    const complete = run(acl, { replies: '', files: { ...files, ...PASSWORD } }).out
    expect(complete).toMatch(/^user operator on #[0-9a-f]{64} sanitize-payload -@all \+ping \+client\|list$/m)
  })

  test('is created with its rules when the password appears', () => {
    const { calls, err, out } = run(
      'expired_at=0; load_passwords redis local_cli; load_passwords redis local_cli; cat "$RUN/current/operator-password"',
      { replies: '*) echo OK ;;', files: { ...files, ...PASSWORD } },
    )
    const created = calls.match(/ACL SETUSER operator on #[0-9a-f]{64} sanitize-payload -@all \+ping \+client\|list$/gm)
    expect(created).toHaveLength(1)
    expect(err).toContain('the user operator is new')
    expect(out).toBe('key')
  })

  test('can no longer log in when the password disappears, and is new when it comes back', () => {
    const { calls } = run(
      'expired_at=0; load_passwords redis local_cli; echo key >"$AUTH/operator-password"; load_passwords redis local_cli',
      {
        replies: '*) echo OK ;;',
        files: { ...files, 'run/current/operator-password': 'key', 'data/.passwords': 'operator digest 0\n' },
      },
    )
    expect(calls).toContain('ACL SETUSER operator !digest')
    expect(calls).toContain('sanitize-payload -@all +ping')
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
