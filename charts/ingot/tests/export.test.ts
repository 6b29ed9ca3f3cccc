/** Tests the CronJob of `ingot export`: the rendered objects, and its script in a real shell. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exportCommand } from '../../../src/commands/export.ts'
import { parseArguments } from '../../../src/commands/line/arguments.ts'
import { CHART, find, kinds, podOf, render } from './helm.ts'

const SCRIPT = join(CHART, 'files', 'export', 'export.sh')
const OWNER = 'CronJob/ingot-export'
const ENABLED = ['export.enabled=true', 'export.collections=["orders"]']

const envOf = (mode: string, changes: readonly string[], owner = OWNER) =>
  new Map(podOf(render(mode, changes), owner).spec.containers[0]?.env?.map((entry) => [entry.name, entry]))

const volumeOf = (changes: readonly string[]): unknown => {
  const { volumes } = podOf(render('postgres', [...ENABLED, ...changes]), OWNER).spec as unknown as {
    volumes: { name: string }[]
  }
  return volumes.find(({ name }) => name === 'out')
}

describe('the CronJob', () => {
  test('is absent by default', () => {
    expect(kinds(render('postgres'), 'CronJob')).toEqual([])
  })

  test('has the schedule and the limits of the values', () => {
    expect(find(render('everything'), 'CronJob', 'ingot-all-export').spec).toMatchObject({
      schedule: '*/30 * * * *',
      timeZone: 'Europe/Berlin',
      suspend: true,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 60,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 2,
      jobTemplate: { spec: { backoffLimit: 1, activeDeadlineSeconds: 600 } },
    })
    const env = envOf('everything', [], 'CronJob/ingot-all-export')
    expect(env.get('COLLECTIONS')?.value).toBe('orders a.b_c-d')
    expect(env.get('KEEP')?.value).toBe('3')
    expect(env.get('INGOT_TOKEN')?.valueFrom?.secretKeyRef).toEqual({ name: 'ingot-export-token', key: 'reader' })
  })

  test('has the token of the installation, or none if the API needs none', () => {
    const token = envOf('postgres', ENABLED).get('INGOT_TOKEN')
    expect(token?.valueFrom?.secretKeyRef).toEqual({ name: 'ingot-token', key: 'token' })
    expect(envOf('legacy', ENABLED).has('INGOT_TOKEN')).toBe(false)
  })

  test('writes to a claim that outlives the release, to an existing claim, or to any volume', () => {
    const claim = find(render('everything'), 'PersistentVolumeClaim', 'ingot-all-export')
    expect(claim.metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep' })
    expect(claim.spec).toMatchObject({ storageClassName: 'fast', resources: { requests: { storage: '5Gi' } } })
    expect(volumeOf([])).toEqual({ name: 'out', persistentVolumeClaim: { claimName: 'ingot-export' } })
    expect(volumeOf(['export.existingClaim="mine"'])).toEqual({
      name: 'out',
      persistentVolumeClaim: { claimName: 'mine' },
    })
    const nfs = { server: 'backup.example', path: '/ingot' }
    expect(volumeOf([`export.volume={"nfs":${JSON.stringify(nfs)}}`])).toEqual({ name: 'out', nfs })
    for (const changes of [['export.existingClaim="mine"'], ['export.volume={"emptyDir":{}}']]) {
      expect(kinds(render('postgres', [...ENABLED, ...changes]), 'PersistentVolumeClaim')).toEqual([])
    }
  })
})

describe('the script', () => {
  let out = ''
  beforeEach(() => {
    out = mkdtempSync(join(tmpdir(), 'ingot-export-'))
  })
  afterEach(() => rmSync(out, { recursive: true, force: true }))

  /** `ingot` is the body of a shell script that replaces the command. */
  function run(ingot: string, collections: string, keep = 2) {
    const program = join(out, 'ingot')
    writeFileSync(program, `#!/bin/sh\n${ingot}\n`, { mode: 0o755 })
    const env = {
      PATH: process.env['PATH'] ?? '',
      INGOT: program,
      SERVICE_URL: 'http://ingot',
      COLLECTIONS: collections,
      KEEP: String(keep),
      OUT: join(out, 'files'),
    }
    const { status, stdout, stderr } = spawnSync('sh', [SCRIPT], { env, encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  const WRITE = 'for last; do :; done; echo "$@" >"$last"'
  const files = (collection: string): string[] => readdirSync(join(out, 'files', collection)).toSorted()
  const put = (collection: string, ...names: string[]): void => {
    mkdirSync(join(out, 'files', collection), { recursive: true })
    for (const name of names) writeFileSync(join(out, 'files', collection, name), '{}\n')
  }

  test('calls the command with valid arguments', () => {
    const { stdout } = run('echo "$@"', 'orders')
    const line = stdout.split('\n').find((text) => text.startsWith('export ')) ?? ''
    const words = line.split(' ').slice(1)
    expect(parseArguments(words, exportCommand)).toMatchObject({
      kind: 'arguments',
      args: { values: { from: 'http://ingot', collection: 'orders' } },
    })
    expect(words.at(-1)).toMatch(/\/files\/orders\/\d{8}T\d{6}Z\.ndjson$/)
  })

  test('keeps the newest files of each collection', () => {
    put('orders', '20200101T000000Z.ndjson', '20200102T000000Z.ndjson', '20200103T000000Z.ndjson')
    put('orders-eu', '20200101T000000Z.ndjson')
    expect(run(WRITE, 'orders').status).toBe(0)
    const [older, newest, ...more] = files('orders')
    expect([older, more]).toEqual(['20200103T000000Z.ndjson', []])
    expect(newest).not.toMatch(/^2020/)
    expect(files('orders-eu')).toEqual(['20200101T000000Z.ndjson'])
  })

  test('removes nothing if an export fails, exports the other collections, and fails', () => {
    put('orders', '20200101T000000Z.ndjson', '20200102T000000Z.ndjson', '20200103T000000Z.ndjson')
    const { status, stderr } = run(`case "$*" in *" orders "*) exit 1 ;; esac; ${WRITE}`, 'orders sources')
    expect(status).toBe(1)
    expect(stderr).toContain('export of orders failed; its old files are kept')
    expect(files('orders')).toHaveLength(3)
    expect(files('sources')).toHaveLength(1)
  })

  test('removes unfinished files that are older than a day', () => {
    put('orders', 'old.ndjson.1.part', 'new.ndjson.2.part')
    const longAgo = new Date(Date.now() - 48 * 3_600_000)
    utimesSync(join(out, 'files', 'orders', 'old.ndjson.1.part'), longAgo, longAgo)
    run(WRITE, 'orders')
    expect(files('orders').filter((name) => name.endsWith('.part'))).toEqual(['new.ndjson.2.part'])
  })

  test('fails if its volume is not writable', () => {
    writeFileSync(join(out, 'files'), 'a file where a folder is wanted')
    expect(run(WRITE, 'orders').status).toBe(1)
  })
})
