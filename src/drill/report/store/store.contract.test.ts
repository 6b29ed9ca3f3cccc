/** One suite for all stores of reports: a folder, a bucket of an S3-compatible server, ConfigMaps of a real API server. */
import { randomBytes, randomUUID } from 'node:crypto'
import { readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../../../kube/client/api.ts'
import { createKubeConnection } from '../../../kube/client/connection.ts'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { exampleReport, HOSTILE } from '../../../testing/drill-report.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import { shareApiServer } from '../../../testing/kube/shared-api-server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type S3Server, startS3Server } from '../../../testing/s3-server.ts'
import { htmlOfReport } from '../run/html/page.ts'
import { jsonOfReport } from '../run/json.ts'
import { createBlobReportStore } from './blobs.ts'
import { createBucketReportStore } from './bucket.ts'
import { CONFIG_MAPS, configMapName, createConfigMapReportStore } from './config-map.ts'
import { createFolderReportStore } from './folder.ts'
import type { ReportStore, StoredReport } from './store.ts'

const folder = temporaryFolder()
const soon = (): AbortSignal => AbortSignal.timeout(30_000)
type Skip = (reason: string) => never

const scope = createScope()
afterAll(() => scope.close())
const apiServer = shareApiServer()
let s3: S3Server | Absent
beforeAll(async () => {
  s3 = await startS3Server()
  const started = s3
  if (!('absent' in started)) scope.defer(() => started[Symbol.asyncDispose]())
})

function bucket(skip: Skip, change: Partial<Parameters<typeof createBucketReportStore>[0]> = {}): ReportStore {
  return createBucketReportStore({ ...present(s3, skip), clock: systemClock, ...change })
}

let namespace: string | undefined
async function cluster(skip: Skip): Promise<{ api: KubeApi; namespace: string }> {
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: apiServer(skip).kubeconfig })
  scope.defer(() => connection[Symbol.dispose]())
  const api = createKubeApi(connection)
  if (namespace !== undefined) return { api, namespace }
  const name = `reports-${randomUUID().slice(0, 8)}`
  const kind = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
  await api.create(kind, { metadata: { name } }, soon())
  namespace = name
  return { api, namespace: name }
}

const STORES: Readonly<Record<string, (skip: Skip) => Promise<ReportStore>>> = {
  folder: async () => createFolderReportStore(join(folder, 'reports')),
  bucket: async (skip) => bucket(skip),
  ConfigMap: async (skip) => createConfigMapReportStore(await cluster(skip)),
}

const at = (day: number): string => `2026-03-0${day}T02:00:00Z`
const report = exampleReport()
const files = { 'report.html': htmlOfReport(report), 'report.json': jsonOfReport(report) }

function stored(changes: Partial<StoredReport> = {}): StoredReport {
  return { of: 'weekly', at: at(1), files, ...changes }
}

describe.each(Object.entries(STORES))('a %s', (_kind, open) => {
  test('returns what was saved', async ({ skip }) => {
    const store = await open(skip)
    const address = await store.save('run-1', stored(), soon())
    expect(address).toContain('run-1')
    expect(await store.load('run-1', soon())).toEqual(stored())
  })

  test('keeps every character', async ({ skip }) => {
    const store = await open(skip)
    const saved = stored({ files: { 'report.md': `${HOSTILE}\r\n\u{1F6B0}` } })
    await store.save('characters', saved, soon())
    expect(await store.load('characters', soon())).toEqual(saved)
  })

  test('has no report that was not saved', async ({ skip }) => {
    const store = await open(skip)
    expect(await store.load('never', soon())).toBeUndefined()
    expect(await store.latest('never', soon())).toBeUndefined()
  })

  test('replaces a report of the same name, with all its files', async ({ skip }) => {
    const store = await open(skip)
    await store.save('again', stored(), soon())
    const second = stored({ at: at(2), files: { 'report.md': 'second' } })
    await store.save('again', second, soon())
    expect(await store.load('again', soon())).toEqual(second)
  })

  test('knows the latest run of a drill, also when an older one is saved later', async ({ skip }) => {
    const store = await open(skip)
    const of = `of-${randomUUID()}`
    for (const [name, day] of [
      ['late-2', 2],
      ['late-3', 3],
      ['late-1', 1],
    ] as const)
      await store.save(`${of}-${name}`, stored({ of, at: at(day) }), soon())
    expect(await store.latest(of, soon())).toBe(`${of}-late-3`)
    expect(await store.latest('another', soon())).toBeUndefined()
  })

  test('accepts long names', async ({ skip }) => {
    const store = await open(skip)
    const of = `w${'e'.repeat(120)}k`
    const saved = stored({ of, files: { 'report.md': 'long' } })
    await store.save(`${of}-1`, saved, soon())
    expect(await store.load(`${of}-1`, soon())).toEqual(saved)
    expect(await store.latest(of, soon())).toBe(`${of}-1`)
  })

  test.for(['', '../escape', 'a/b', '.hidden', 'UPPER', 'a..b', HOSTILE, 'x'.repeat(300)])(
    'refuses the name %j',
    async (name, { skip }) => {
      const store = await open(skip)
      const refused = { code: 'REPORT_NAME_INVALID' }
      await expect(store.save(name, stored(), soon())).rejects.toMatchObject(refused)
      await expect(store.save('fine', stored({ of: name }), soon())).rejects.toMatchObject(refused)
      await expect(store.save('fine', stored({ files: { [name]: '' } }), soon())).rejects.toMatchObject(refused)
      await expect(store.load(name, soon())).rejects.toMatchObject(refused)
      await expect(store.latest(name, soon())).rejects.toMatchObject(refused)
      expect(await store.load('fine', soon())).toBeUndefined()
    },
  )

  test('rejects with the reason of an aborted signal, and stores nothing', async ({ skip }) => {
    const store = await open(skip)
    const reason = new Error('ended')
    await expect(store.save('aborted', stored(), AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(await store.load('aborted', soon())).toBeUndefined()
  })
})

describe('a store of blobs', () => {
  /** Blobs in memory, of which the put with this number fails. */
  function blobsFailingAt(failing: number) {
    const kept = new Map<string, string>()
    let puts = 0
    const store = createBlobReportStore({
      put: async (key, text) => {
        if (++puts === failing) throw new Error('no space')
        kept.set(key, text)
      },
      get: async (key) => kept.get(key),
      addressOf: (key) => key,
    })
    return { store, kept }
  }

  test.each([1, 2, 3])('shows no report whose save failed at blob %i', async (failing) => {
    const { store } = blobsFailingAt(failing)
    await expect(store.save('half', stored(), soon())).rejects.toThrow('no space')
    expect(await store.load('half', soon())).toBeUndefined()
    expect(await store.latest('weekly', soon())).toBeUndefined()
  })

  test('shows no mixture of two reports when a replacement failed', async () => {
    const { store } = blobsFailingAt(6)
    await store.save('mixed', stored(), soon())
    const other = stored({ files: { 'report.html': 'other', 'report.json': 'other' } })
    await expect(store.save('mixed', other, soon())).rejects.toThrow('no space')
    await expect(store.load('mixed', soon())).rejects.toMatchObject({ code: 'REPORT_DAMAGED' })
  })

  test('notices a file that was changed or removed', async () => {
    const { store, kept } = blobsFailingAt(0)
    await store.save('run', stored(), soon())
    kept.set('run/report.html', 'changed')
    await expect(store.load('run', soon())).rejects.toMatchObject({ code: 'REPORT_DAMAGED' })
    kept.delete('run/report.html')
    await expect(store.load('run', soon())).rejects.toMatchObject({ code: 'REPORT_DAMAGED' })
    kept.set('run/index.json', '{')
    await expect(store.load('run', soon())).rejects.toThrow(/index\.json is not JSON/)
  })
})

describe('a folder', () => {
  test('that cannot be written is refused, and names the file', async () => {
    const file = join(folder, 'a-file')
    writeFileSync(file, '')
    const store = createFolderReportStore(join(file, 'reports'))
    await expect(store.save('run', stored(), soon())).rejects.toMatchObject({
      code: 'REPORT_STORE_REFUSED',
      message: expect.stringContaining(file) as string,
    })
  })

  test('has no partial file after a save', async () => {
    const root = join(folder, 'clean')
    await createFolderReportStore(root).save('run', stored(), soon())
    expect(readdirSync(join(root, 'run')).toSorted()).toEqual(['index.json', 'report.html', 'report.json'])
  })
})

describe('a bucket', () => {
  test('refuses a wrong secret, because the server verifies signatures', async ({ skip }) => {
    const store = bucket(skip, { secretAccessKey: 'wrong' })
    await expect(store.save('run', stored(), soon())).rejects.toMatchObject({
      code: 'REPORT_STORE_REFUSED',
      message: expect.stringMatching(/403 SignatureDoesNotMatch/) as string,
    })
  })

  test('that does not exist is an error, not a missing report', async ({ skip }) => {
    const { noBucket: url } = present(s3, skip)
    await expect(bucket(skip, { url }).load('run', soon())).rejects.toMatchObject({
      code: 'REPORT_STORE_REFUSED',
      message: expect.stringMatching(/404 NoSuchBucket/) as string,
    })
  })

  test('is tried again while its server fails, then given up', async () => {
    let requests = 0
    await using server = await failingServer(() => ++requests)
    const backoff = { baseMs: 1, maxMs: 2, attempts: 3 }
    const options = { url: `${server.url}/b`, accessKeyId: 'a', secretAccessKey: 's', clock: systemClock, backoff }
    const failure = { code: 'REPORT_STORE_UNAVAILABLE' }
    await expect(createBucketReportStore(options).load('run', soon())).rejects.toMatchObject(failure)
    expect(requests).toBe(4)
  })

  test.each([
    'ftp://host/b',
    'https://',
    'https://s3.local',
    'https://user:secret@host/b',
    'https://host/b?x=1',
    'text',
  ])('is refused for the address %s, and no credential is shown', (url) => {
    const open = (): ReportStore =>
      createBucketReportStore({ url, accessKeyId: 'a', secretAccessKey: 's', clock: systemClock })
    expect(open).toThrow(/write https:\/\/HOST\/BUCKET/)
    expect(open).not.toThrow(/secret/)
  })
})

async function failingServer(asked: () => void): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_request, response) => {
    asked()
    response.writeHead(503).end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

describe('a ConfigMap', () => {
  test('has the label and the owner of the drill', async ({ skip }) => {
    const { api, namespace: here } = await cluster(skip)
    const owner = { apiVersion: 'ingot.dev/v1alpha1', kind: 'FailoverDrill', name: 'run-7', uid: randomUUID() }
    await createConfigMapReportStore({ api, namespace: here, owner }).save('run-7', stored(), soon())
    const found = await api.get(CONFIG_MAPS, { namespace: here, name: configMapName('run-7') }, soon())
    expect(found?.metadata).toMatchObject({ labels: { 'ingot.dev/drill': 'weekly' }, ownerReferences: [owner] })
    expect(Object.keys(found?.['binaryData'] as object)).toEqual(['report.html.gz', 'report.json.gz'])
  })

  test('that would be too large is refused before it is sent', async ({ skip }) => {
    const store = createConfigMapReportStore(await cluster(skip))
    const incompressible = randomBytes(600_000).toString('hex')
    await expect(
      store.save('large', stored({ files: { 'report.html': incompressible.repeat(2) } }), soon()),
    ).rejects.toMatchObject({
      code: 'REPORT_TOO_LARGE',
    })
    expect(await store.load('large', soon())).toBeUndefined()
  })

  test('that somebody changed is an error', async ({ skip }) => {
    const { api, namespace: here } = await cluster(skip)
    const binaryData = { 'report.html.gz': Buffer.from('no gzip').toString('base64') }
    await api.apply(CONFIG_MAPS, { metadata: { name: configMapName('changed'), namespace: here }, binaryData }, soon())
    const store = createConfigMapReportStore({ api, namespace: here })
    await expect(store.load('changed', soon())).rejects.toMatchObject({ code: 'REPORT_DAMAGED' })
  })
})
