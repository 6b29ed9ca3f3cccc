/** `etcdctl lock` beside `ingot lock` on one etcd. It tests the statements of docs/lock-command.md about etcdctl 3.4. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { untilTrue } from '../../std/until.ts'
import { type EtcdServers, startEtcd } from '../../testing/etcd/servers.ts'
import { temporaryFolder } from '../../testing/folder.ts'
import { type Absent, present } from '../../testing/present.ts'
import { endProcesses, runIngot } from '../../testing/process.ts'

const root = temporaryFolder()
endProcesses()

let started: EtcdServers | Absent
let etcd: EtcdServers
let isInstalled = false
let folder = ''
let key = ''
const children: ChildProcess[] = []

beforeAll(async () => {
  isInstalled = (await etcdctl('version')).code === 0
  started = await startEtcd({ members: 1 })
})
afterAll(async () => {
  if (!('absent' in started)) await started[Symbol.asyncDispose]()
})
beforeEach(({ skip }) => {
  etcd = present(started, skip)
  present(isInstalled ? {} : { absent: 'etcdctl is not installed (etcd-client)' }, skip)
  folder = mkdtempSync(join(root, 'test-'))
  key = folder.slice(-6)
  return () => {
    for (const child of children.splice(0)) killGroup(child.pid ?? 0)
  }
})

/** Kills etcdctl and its command. Does nothing if both have ended. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // ESRCH: no process of the group is left
  }
}

const environment = () => {
  const endpoints = started !== undefined && 'ports' in started ? `http://127.0.0.1:${started.ports[0]}` : ''
  return { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: endpoints }
}

async function etcdctl(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    execFile('etcdctl', args, { env: environment(), timeout: 30_000 }, (failure, stdout) => {
      resolve({ code: failure === null ? 0 : Number(failure.code ?? 1), stdout })
    })
  })
}

/** Starts `etcdctl lock` with a command that writes a file, waits, and writes another one. Resolves when it runs. */
async function hold(seconds: number): Promise<ChildProcess> {
  const script = `echo $$ > ${folder}/began; sleep ${seconds}; echo done > ${folder}/ended`
  const line = ['lock', '--ttl', '2', key, '--', 'sh', '-c', script]
  const child = spawn('etcdctl', line, { env: environment(), stdio: 'ignore', detached: true })
  children.push(child)
  await exists('began')
  return child
}

const exists = (name: string): Promise<unknown> =>
  untilTrue(`${name} exists`, async () => existsSync(join(folder, name)), { withinMs: 30_000 })
const hasEnded = (): boolean => existsSync(join(folder, 'ended'))
const commandRuns = (): boolean => existsSync(`/proc/${readFileSync(join(folder, 'began'), 'utf8').trim()}`)
const ingot = (...args: readonly string[]) => runIngot(['lock', ...args], { INGOT_LOCK_URL: etcd.url })

describe('the exit code of the command', () => {
  test('is 1 for every failure with etcdctl, and passed on by ingot', async () => {
    expect((await etcdctl('lock', key, '--', 'sh', '-c', 'exit 7')).code).toBe(1)
    expect((await ingot(key, '--', 'sh', '-c', 'exit 7')).code).toBe(7)
  })
})

describe('the command gets', () => {
  test('the revision of the lock from etcdctl, and a fence from ingot; both rise', async () => {
    const revision = async () => {
      const { stdout } = await etcdctl('lock', key, '--', 'sh', '-c', 'echo $ETCD_LOCK_REV')
      return BigInt(stdout.trim())
    }
    const fence = async () => BigInt((await ingot(key, '--', 'sh', '-c', 'echo $INGOT_LOCK_FENCE')).stdout.trim())
    expect(await revision()).toBeLessThan(await revision())
    expect(await fence()).toBeLessThan(await fence())
  })
})

describe('SIGTERM', () => {
  test('to etcdctl leaves the command running, and the next holder waits for its end', async () => {
    const holder = await hold(3)
    holder.kill('SIGTERM')
    await etcdctl('lock', key, '--', 'true')
    expect(hasEnded()).toBe(true)
  })
})

describe('SIGKILL', () => {
  test('to etcdctl leaves the command running while another one gets the lock', async () => {
    const holder = await hold(60)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect((await etcdctl('lock', key, '--', 'true')).code).toBe(0)
    expect(commandRuns()).toBe(true)
  })
})

describe('a lock that is lost', () => {
  test('ends nothing with etcdctl: its command runs beside the next holder', async () => {
    await hold(60)
    // the name of the holder's entry ends with its lease
    const { stdout } = await etcdctl('get', '--prefix', `${key}/`, '--keys-only')
    expect((await etcdctl('lease', 'revoke', stdout.trim().slice(key.length + 1))).code).toBe(0)
    expect((await etcdctl('lock', key, '--', 'true')).code).toBe(0)
    expect(commandRuns()).toBe(true)
  })
})
