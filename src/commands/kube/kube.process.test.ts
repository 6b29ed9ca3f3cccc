/** The plugin as a process, under the name that kubectl looks for, on an API server that has a release. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ROOT } from '../../drill/checkout.ts'
import type { Diagnosis } from '../../inspect/doctor/diagnosis.ts'
import type { StatusReport } from '../../inspect/status/report.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { createScope } from '../../std/scope.ts'
import { temporaryFolder } from '../../testing/folder.ts'
import { NAMESPACE, type ReleaseObjects, releaseObjects, set } from '../../testing/inspect/release.ts'
import { type ReleaseServer, startReleaseServer } from '../../testing/inspect/release-server.ts'
import { runIngot } from '../../testing/process.ts'

const folder = temporaryFolder()
const PLUGIN = join(folder, 'kubectl-ingot')
symlinkSync(join(ROOT, 'bin', 'ingot.mjs'), PLUGIN)

const scope = createScope()
afterEach(() => scope.close())

type Env = Readonly<Record<string, string>>

interface Start {
  readonly program?: string
  readonly cwd?: string
}

function start(args: readonly string[], env: Env = {}, { program = PLUGIN, cwd = process.cwd() }: Start = {}) {
  const child = spawn(program, [...args], { env: { ...process.env, ...env }, cwd, stdio: 'pipe' })
  scope.defer(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text))
  const ended = once(child, 'close').then(([code]: unknown[]) => ({ code, stdout, stderr }))
  const shows = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(stdout)) await once(child.stdout, 'data')
  }
  return { child, ended, shows, stdout: () => stdout }
}

const run = (args: readonly string[], env?: Env, cwd?: string) =>
  start(args, env, cwd === undefined ? {} : { cwd }).ended

async function serve(
  objects: ReleaseObjects = fresh(),
  patched?: (object: KubeObject) => void,
): Promise<ReleaseServer & { readonly env: Env }> {
  const server = await startReleaseServer(objects, patched)
  scope.defer(() => server[Symbol.asyncDispose]())
  return { ...server, env: { KUBECONFIG: server.kubeconfig } }
}

/** The Lease of the release was renewed just now. */
function fresh(): ReleaseObjects {
  const objects = releaseObjects('sentinel')
  const aheadMs = 3_600_000
  set(objects.get('Lease', 'ingot-operator'), ['spec', 'renewTime'], new Date(Date.now() + aheadMs).toISOString())
  return objects
}

describe('the name', () => {
  test('of the plugin is in its help and its errors', async () => {
    const help = await run(['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('kubectl ingot COMMAND [OPTIONS]')
    expect(help.stdout).not.toContain('  serve')
    expect((await run(['status', '--help'])).stdout).toContain('kubectl ingot status [OPTIONS]')
    const wrong = await run(['staus'])
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean "status"') as string })
    expect(wrong.stderr).toContain('see kubectl ingot --help')
  })

  test('of ingot has the same commands in the group kube', async () => {
    const { code, stdout } = await runIngot(['kube', 'status', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('ingot kube status -n shop --watch')
    expect(stdout).not.toContain('kubectl ingot')
  })
})

describe('status', () => {
  test('shows a healthy release without colours, and exits 0', async () => {
    const { env, requests } = await serve()
    const { code, stdout, stderr } = await run(['status'], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('Release     shop/ingot  ingot-0.1.0  healthy')
    expect(stdout).toMatch(/ingot-7c9d5f6b8-aaaaa +yes +serving +0.1.0 +closed +7 +2 held, 1 wait +0/)
    expect(stdout).not.toContain('\u001B')
    expect(requests.every((line) => line.startsWith('GET '))).toBe(true)
    const secrets = requests.filter((line) => line.includes('/secrets'))
    expect(secrets).toEqual(['GET /api/v1/namespaces/shop/secrets/ingot-token'])
  })

  test('reads no Secret if it is given a token', async () => {
    const { env, requests } = await serve()
    const { code } = await run(['status'], { ...env, INGOT_TOKEN: 'a-token' })
    expect(code).toBe(0)
    expect(requests.join('\n')).not.toContain('/secrets')
  })

  test('-o json has a stable form', async () => {
    const { env } = await serve()
    const { code, stdout } = await run(['status', '-o', 'json', '-n', NAMESPACE, '--context', 'empty'], env)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'IngotStatus', version: 1, healthy: true, notRead: [] })
  })

  test('names what it may not read, shows the rest, and exits 0', async () => {
    const server = await serve()
    server.forbid(/portforward/)
    server.forbid(/leases/)
    const { code, stdout } = await run(['status'], server.env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/Not read +leases: .*403/)
    expect(stdout).toMatch(/status of ingot-7c9d5f6b8-aaaaa: .*403/)
    // without the API, the metrics
    expect(stdout).toMatch(/ingot-7c9d5f6b8-aaaaa +yes +\? +0.1.0 +closed +7 +\? +0/)
  })

  test('names what it may not read of a replica whose metrics are forbidden too', async () => {
    const server = await serve()
    server.forbid(/portforward/)
    server.forbid(/proxy\/metrics/)
    const { code, stdout } = await run(['status'], server.env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/metrics of ingot-7c9d5f6b8-aaaaa: 403/)
    expect(stdout).toContain('primary ingot-redis-0')
  })

  test('of a degraded release exits 1', async () => {
    const objects = fresh()
    set(objects.get('RedisTopology', 'ingot-redis'), ['status', 'primaries'], [])
    const { env } = await serve(objects)
    const { code, stdout } = await run(['status'], env)
    expect(code).toBe(1)
    expect(stdout).toContain('Problems    no Redis server is primary')
  })

  test.each<[string, readonly string[], string]>([
    ['another namespace', ['-n', 'other'], 'RELEASE_NOT_FOUND: there is no release of ingot in other'],
    [
      'another release',
      ['--release', 'x'],
      'RELEASE_NOT_FOUND: there is no release "x" in namespace shop: it has ingot',
    ],
    ['an unknown context', ['--context', 'nope'], 'KUBE_CONFIG_INVALID: context "nope" cannot be used'],
    ['an unknown form', ['-o', 'yaml'], 'USAGE_INVALID: --output is "yaml", write text or json'],
  ])('%s exits 2', async (_what, args, message) => {
    const { env } = await serve()
    expect(await run(['status', ...args], env)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message) as string,
    })
  })

  test('of a server that is gone exits 2', async () => {
    const server = await serve()
    const kubeconfig = join(folder, 'gone')
    copyFileSync(server.kubeconfig, kubeconfig)
    await server[Symbol.asyncDispose]()
    expect(await run(['status'], { KUBECONFIG: kubeconfig })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^KUBE_UNREACHABLE: .*ECONNREFUSED/) as string,
    })
  })

  test('on a terminal has colours and redraws, and with NO_COLOR has no colours', async ({ skip }) => {
    if (spawnSync('script', ['--version']).error !== undefined) skip('there is no program "script"')
    const { env } = await serve()
    const onTerminal = (line: string, more: Env = {}) =>
      start(
        ['-qec', `'${PLUGIN}' ${line}`, '/dev/null'],
        { TERM: 'xterm', NO_COLOR: '', ...env, ...more },
        { program: 'script' },
      )
    expect((await onTerminal('status').ended).stdout).toContain('\u001B[32mhealthy')
    expect((await onTerminal('status', { NO_COLOR: '1' }).ended).stdout).not.toContain('\u001B')
    expect((await onTerminal('status -o json').ended).stdout).not.toContain('\u001B')
    const watching = onTerminal('status -w', { NO_COLOR: '1' })
    // oxlint-disable-next-line no-control-regex -- the screen is cleared from its top
    await watching.shows(/\u001B\[H\u001B\[JRelease/)
    // oxlint-disable-next-line no-control-regex -- no colour
    expect(watching.stdout()).not.toMatch(/\u001B\[\d+m/)
  })

  test('--watch prints one line for each change, and ends by Ctrl-C with the last state', async () => {
    const objects = fresh()
    const { env } = await serve(objects)
    const { child, ended, shows } = start(['status', '--watch', '-o', 'json'], env)
    await shows(/"healthy":true.*\n/)
    set(objects.get('RedisTopology', 'ingot-redis'), ['status', 'servers', 1, 'lagBytes'], 1)
    set(objects.get('RedisTopology', 'ingot-redis'), ['status', 'primaries'], [])
    await shows(/"healthy":false.*\n/)
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect(code).toBe(1)
    const reports = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as StatusReport)
    expect(reports.map(({ healthy }) => healthy)).toEqual([true, false])
  })
})

describe('doctor', () => {
  test('of a healthy release finds nothing, changes nothing, and exits 0', async () => {
    const { env, requests } = await serve()
    const { code, stdout, stderr } = await run(['doctor'], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^shop\/ingot: 0 findings in \d+ checks\n$/)
    expect(requests.every((line) => line.startsWith('GET '))).toBe(true)
  })

  test('exits 1 with findings, and lists what it may not read as not checked', async () => {
    const objects = fresh()
    objects.remove('PodDisruptionBudget', 'ingot-redis')
    const server = await serve(objects)
    server.forbid(/\/secrets\//)
    const { code, stdout } = await run(['doctor', '-o', 'json'], server.env)
    expect(code).toBe(1)
    const { findings, notChecked } = JSON.parse(stdout) as Diagnosis
    expect(findings.map((finding) => finding.code)).toEqual(['NO_DISRUPTION_BUDGET'])
    expect(notChecked).toContainEqual({
      code: 'SECRET_MISSING',
      why: expect.stringContaining('403') as string,
    })
  })

  test('does not call an operator absent that may be in a namespace that the user may not read', async () => {
    const objects = fresh()
    set(objects.get('Lease', 'ingot-operator'), ['metadata', 'namespace'], 'elsewhere')
    const server = await serve(objects)
    server.forbid(/v1\/leases\?/)
    const { stdout } = await run(['doctor', '-o', 'json'], server.env)
    const { findings, notChecked } = JSON.parse(stdout) as Diagnosis
    expect(findings).toEqual([])
    expect(notChecked.map((one) => one.code)).toContain('OPERATOR_ABSENT')
  })

  test('exits 2 if nothing can be read', async () => {
    const server = await serve()
    server.forbid(/./)
    const { code, stdout } = await run(['doctor', '--release', 'ingot'], server.env)
    expect(code).toBe(2)
    expect(stdout).toContain('0 findings in 0 checks')
  })
})

describe('handover', () => {
  /** Plays the operator: it runs the request, then ends it. */
  function carriesOut(phase: 'Done' | 'Refused') {
    return (topology: KubeObject): void => {
      const request = topology.metadata.annotations?.['ingot.dev/handover']?.split('/')[0]
      set(topology, ['status', 'handover'], { request, phase: 'Running', message: '' })
      const end = (): void => {
        set(topology, ['status', 'handover'], { request, phase, message: 'as the operator says' })
        if (phase === 'Done') set(topology, ['status', 'lastFailover', 'at'], '2026-11-29T12:00:01Z')
      }
      scope.defer(() => clearTimeout(timer))
      const timer = setTimeout(end, 700)
    }
  }

  test('waits until the operator has done it, and exits 0', async () => {
    const { env, requests } = await serve(fresh(), carriesOut('Done'))
    const { code, stdout, stderr } = await run(['handover', 'ingot-redis-1'], env)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^requested hand-over [0-9a-f]{8} of RedisTopology ingot-redis, waiting/)
    expect(stdout).toContain('Done: as the operator says\nfrom ingot-redis-1 to ingot-redis-0, 120 ms without')
    expect(requests.filter((line) => !line.startsWith('GET '))).toEqual([
      expect.stringMatching(/^PATCH .*\/redistopologies\/ingot-redis\?/),
    ])
  })

  test('exits 1 when the operator refuses it', async () => {
    const { env } = await serve(fresh(), carriesOut('Refused'))
    const { code, stdout } = await run(['handover', '-o', 'json'], env)
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'Refused', message: 'as the operator says' })
  })

  test('exits 1 when the operator does not end it in time', async () => {
    const { env } = await serve()
    const { code, stdout } = await run(['handover', '--timeout', '1s'], env)
    expect(code).toBe(1)
    expect(stdout).toContain('TimedOut: the operator has not ended it within 1 s (Requested)')
  })

  test('exits 2 without an operator, and requests nothing', async () => {
    const objects = fresh()
    objects.remove('Lease', 'ingot-operator')
    const { env, requests } = await serve(objects)
    const { code, stderr } = await run(['handover'], env)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^OPERATOR_NOT_LEADING: .*\n {2}install the operator/)
    expect(requests.every((line) => line.startsWith('GET '))).toBe(true)
  })

  test('exits 2 for a timeout that is none', async () => {
    const { env } = await serve()
    expect(await run(['handover', '--timeout', 'soon'], env)).toMatchObject({ code: 2 })
    expect((await run(['handover', 'a', 'b'], env)).stderr).toContain('"b" is one argument too many')
  })
})

describe('bundle', () => {
  test('writes an archive that tar reads, for its owner only, and says what it could not read', async () => {
    const server = await serve()
    server.forbid(/\/events/)
    const file = join(folder, 'shop.tar.gz')
    const { code, stdout, stderr } = await run(['bundle', file], server.env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^wrote .*shop\.tar\.gz: \d+ files, \d+ KiB, \d+ redactions\n/)
    expect(stdout).toContain('searched for the values of: ingot-postgres, ingot-redis, ingot-redis-tls, ingot-token')
    expect(stdout).toMatch(/not read: events: .*403/)
    const { stdout: list } = spawnSync('tar', ['-tzf', file], { encoding: 'utf8' })
    expect(list.split('\n')).toContain('ingot-bundle-ingot/manifest.json')
    expect(statSync(file).mode & 0o077).toBe(0)
  })

  test('without FILE takes a name from release and time, and -o json reports it', async () => {
    const { env } = await serve()
    const { code, stdout } = await run(['bundle', '-o', 'json'], env, folder)
    expect(code).toBe(0)
    const { kind, file } = JSON.parse(stdout) as { readonly kind: string; readonly file: string }
    expect(kind).toBe('IngotBundle')
    expect(file).toMatch(/^ingot-bundle-ingot-\d{8}T\d{6}\.tar\.gz$/)
    expect(existsSync(join(folder, file))).toBe(true)
  })

  test('into a folder that is not there exits 2', async () => {
    const { env } = await serve()
    const { code, stderr } = await run(['bundle', join(folder, 'none', 'x.tar.gz')], env)
    expect(code).toBe(2)
    expect(stderr).toContain('OUTPUT_UNWRITABLE')
  })
})
