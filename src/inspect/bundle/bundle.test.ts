/** A support bundle: its files, and that no secret is in any of them. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { ROOT } from '../../drill/checkout.ts'
import { createKubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { temporaryFolder } from '../../testing/folder.ts'
import { NAMESPACE, RELEASE, type ReleaseObjects, releaseObjects, set } from '../../testing/inspect/release.ts'
import { startReleaseServer } from '../../testing/inspect/release-server.ts'
import { listAt, textsAt } from '../json.ts'
import { readFacts } from '../read.ts'
import { makeBundle } from './bundle.ts'
import { createRedactor, type Redactor, redactedObject } from './redact.ts'
import { formsOf } from './secret-forms.ts'
import { tarOf } from './tar.ts'

const folder = temporaryFolder()

/** Extracts an archive with the system's tar. Returns the content of each file by its path. */
function extract(archive: Uint8Array): ReadonlyMap<string, string> {
  const into = mkdtempSync(join(folder, 'bundle-'))
  const file = join(into, 'archive.tar.gz')
  writeFileSync(file, archive)
  const { status, stderr } = spawnSync('tar', ['-xzf', file, '-C', into], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const paths = readdirSync(into, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  return new Map(
    paths
      .map((one) => join(one.parentPath, one.name))
      .filter((path) => path !== file)
      .map((path) => [path.slice(into.length + 1), readFileSync(path, 'utf8')]),
  )
}

/** Every value of every Secret. Texts shorter than four characters are no secrets. */
function secretsOf({ items }: ReleaseObjects): readonly string[] {
  return items
    .filter(({ kind }) => kind === 'Secret')
    .flatMap((secret) => Object.values(textsAt(secret, 'data')).map((value) => Buffer.from(value, 'base64').toString()))
    .filter((value) => value.length >= 4)
}

/** Each form in which a client, a server or a tool could write the secret. */
function plantings(secret: string): readonly string[] {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  return [
    `connecting with ${secret} failed`,
    `postgres://ingot:${encodeURIComponent(secret)}@db:5432/ingot`,
    `redis://:${secret}@cache:6379`,
    `authorization: Basic ${base64(`ingot:${secret}`)}`,
    `value ${base64(secret)} and x${base64(`x${secret}`)} and ${base64(`xy${secret}z`)}`,
    `GET /?q=${new URLSearchParams({ q: secret }).toString()} 200`,
    JSON.stringify({ level: 50, msg: secret, nested: JSON.stringify({ secret }) }),
    `0x${Buffer.from(secret).toString('hex')}`,
    Buffer.from(`user=${secret}`).toString('base64url'),
  ]
}

/** Plants the secrets in the logs, the environment, annotations, events, conditions and configuration of a release. */
function plant(objects: ReleaseObjects, secrets: readonly string[]): string {
  const text = secrets.flatMap(plantings).join('\n')
  const deployment = objects.items.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === RELEASE)
  if (deployment === undefined) throw new Error('the release has no Deployment')
  const container = ['spec', 'template', 'spec', 'containers', 0] as const
  const env = listAt(deployment, ...container, 'env')
  const planted = secrets.map((value, index) => ({ name: `PLANTED_${index}`, value }))
  set(
    deployment,
    [...container, 'env'],
    [...env, ...planted, { name: 'INGOT_CACHE_URL', value: `redis://u:${secrets[0]}@h` }],
  )
  set(deployment, [...container, 'args'], ['serve', text])
  set(deployment, ['metadata', 'annotations'], {
    'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ text }),
    note: text,
  })
  for (const one of objects.items) {
    if (one.kind === 'ConfigMap') set(one, ['data', 'planted'], text)
    if (one.kind === 'RedisTopology') set(one, ['status', 'conditions', 0, 'message'], text)
  }
  objects.add({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'planted', namespace: NAMESPACE },
    involvedObject: { name: RELEASE },
    message: text,
    reason: 'Failed',
  })
  return text
}

interface Circumstances {
  readonly log?: string
  readonly forbid?: RegExp
  /** Default: the real one. */
  readonly redactorOf?: typeof createRedactor
}

async function bundleOf(objects: ReleaseObjects, { log = '', forbid, redactorOf }: Circumstances = {}) {
  await using scope = createScope()
  const server = await startReleaseServer(objects)
  scope.defer(() => server[Symbol.asyncDispose]())
  if (forbid !== undefined) server.forbid(forbid)
  for (const one of objects.items) if (one.kind === 'Pod' && log !== '') server.log(one.metadata.name, log)
  using connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
  const api = createKubeApi(connection)
  const signal = AbortSignal.timeout(60_000)
  const where = { api, namespace: NAMESPACE, release: RELEASE, version: '0.1.0', clock: systemClock, signal } as const
  const facts = await readFacts({ ...where, depth: 'all' })
  const { archive, manifest } = await makeBundle(api, facts, signal, redactorOf)
  return { files: extract(archive), manifest, requests: server.requests }
}

/** Asserts that no file has any form of any secret. Returns the number of searches. */
function searchAll(files: ReadonlyMap<string, string>, secrets: readonly string[]): number {
  let searches = 0
  for (const secret of secrets) {
    for (const form of formsOf(secret)) {
      for (const [path, content] of files) {
        searches++
        if (content.includes(form)) expect.fail(`${path} has ${JSON.stringify(form)}`)
      }
    }
  }
  return searches
}

/** Renders the chart as helm does, with the pods that its controllers would make. */
function rendered(): ReleaseObjects | undefined {
  const args = ['template', RELEASE, join(ROOT, 'charts', 'ingot'), '-n', NAMESPACE, '--set', 'redis.tls.enabled=true']
  const { status, stdout, error } = spawnSync('helm', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (error !== undefined) return undefined
  expect(status).toBe(0)
  const objects = releaseObjects('sentinel')
  const items = parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject | null)
  objects.items.splice(0, Number.POSITIVE_INFINITY, ...objects.items.filter(({ kind }) => kind === 'Pod'))
  for (const item of items) {
    if (item === null || item.kind === 'Pod') continue
    const data = Object.entries(textsAt(item, 'stringData')).map(([key, value]) => [
      key,
      Buffer.from(value).toString('base64'),
    ])
    set(item, ['metadata', 'namespace'], NAMESPACE)
    if (item.kind === 'Secret') set(item, ['data'], { ...textsAt(item, 'data'), ...Object.fromEntries(data) })
    objects.add(item)
  }
  return objects
}

describe('no secret is in a bundle', () => {
  test('of a release that helm rendered, with each secret in logs, environment, annotations and events', async ({
    skip,
  }) => {
    const objects = rendered() ?? skip('helm is not installed')
    const secrets = secretsOf(objects)
    expect(secrets.length).toBeGreaterThanOrEqual(9)
    const { files, manifest } = await bundleOf(objects, { log: plant(objects, secrets) })
    expect(searchAll(files, secrets)).toBeGreaterThan(secrets.length * files.size)
    expect(manifest.searchedSecrets).toEqual(['ingot-postgres', 'ingot-redis', 'ingot-redis-tls', 'ingot-token'])
    expect(manifest.redactions).toBeGreaterThan(secrets.length)
    expect(files.get(`ingot-bundle-${RELEASE}/logs/ingot-redis-0/redis.log`)).toContain(
      'connecting with REDACTED failed',
    )
  })

  test('also with an external store, whose password is a part of a DSN', async () => {
    const objects = releaseObjects('sentinel')
    const dsn = 'postgres://shop:p%40ss-w0rd!@db.example:5432/shop?sslmode=require'
    set(objects.get('Secret', 'ingot-postgres'), ['data', 'dsn'], Buffer.from(dsn).toString('base64'))
    const { files } = await bundleOf(objects, { log: 'login of shop with p@ss-w0rd! failed, or p%40ss-w0rd!' })
    expect(searchAll(files, [dsn, 'p@ss-w0rd!', 'p%40ss-w0rd!'])).toBeGreaterThan(0)
  })

  test('a user name or a port in a Secret does not take the names of objects and the numbers with it', async () => {
    const objects = releaseObjects('sentinel')
    for (const [key, value] of Object.entries({
      username: RELEASE,
      port: '5432',
      ssl: 'true',
      password: 's3cret-pw',
    })) {
      set(objects.get('Secret', 'ingot-postgres'), ['data', key], Buffer.from(value).toString('base64'))
    }
    const { files } = await bundleOf(objects, { log: 'the password is s3cret-pw' })
    const pods = files.get(`ingot-bundle-${RELEASE}/objects/pods.json`) ?? ''
    expect(pods).toContain('"name": "ingot-redis-0"')
    expect(() => JSON.parse(pods) as unknown).not.toThrow()
    expect(searchAll(files, ['s3cret-pw'])).toBeGreaterThan(0)
  })

  test('what looks like a secret is removed although no Secret could be read', async () => {
    const objects = releaseObjects('sentinel')
    const secrets = secretsOf(objects).filter((value) => !value.startsWith('{') && !value.includes('\n'))
    const lines = secrets.flatMap((secret) => [`password=${secret}`, `redis://u:${secret}@h`, `Bearer ${secret}`])
    const { files, manifest } = await bundleOf(objects, { log: lines.join('\n'), forbid: /\/secrets\// })
    expect(manifest.searchedSecrets).toEqual([])
    expect(manifest.notRead.map(({ part }) => part)).toContain('secret ingot-redis')
    for (const [path, content] of files) for (const secret of secrets) expect(content, path).not.toContain(secret)
  })
})

describe('mutations', () => {
  const planted = (): { objects: ReleaseObjects; log: string; secrets: readonly string[] } => {
    const objects = releaseObjects('sentinel')
    const secrets = secretsOf(objects)
    return { objects, log: plant(objects, secrets), secrets }
  }

  test('a redactor that knows the values in plain text only: the search of the bundle finds the other forms', async () => {
    const { objects, log, secrets } = planted()
    const redactorOf = (values: readonly string[]): Redactor => ({
      text: (text) => values.reduce((clean, value) => clean.replaceAll(value, 'REDACTED'), text),
      leakIn: () => false,
      count: 0,
    })
    const { files } = await bundleOf(objects, { log, redactorOf })
    expect(() => searchAll(files, secrets)).toThrow(/ has "/)
  })

  test('a redactor that replaces nothing: the finished files are refused', async () => {
    const { objects, log } = planted()
    const redactorOf = (values: readonly string[]): Redactor => {
      const { leakIn } = createRedactor(values)
      return { text: (text) => text, leakIn, count: 0 }
    }
    await expect(bundleOf(objects, { log, redactorOf })).rejects.toMatchObject({ code: 'BUNDLE_NOT_CLEAN' })
  })
})

describe('the files of a bundle', () => {
  test('are objects, logs, metrics, and the reports', async () => {
    const objects = releaseObjects('sentinel')
    const last = { terminated: { reason: 'Error' } }
    set(objects.get('Pod', 'ingot-redis-1'), ['status', 'containerStatuses', 0, 'lastState'], last)
    objects.add({
      kind: 'Secret',
      metadata: {
        name: 'sh.helm.release.v1.ingot.v3',
        namespace: NAMESPACE,
        labels: { owner: 'helm', name: RELEASE, status: 'deployed', version: '3' },
      },
      data: { release: 'the-values-of-the-release' },
    })
    const { files, manifest, requests } = await bundleOf(objects)
    const paths = [...files.keys()].map((path) => path.replace(`ingot-bundle-${RELEASE}/`, ''))
    expect(paths).toEqual(
      expect.arrayContaining([
        'manifest.json',
        'status.json',
        'status.txt',
        'doctor.json',
        'doctor.txt',
        'objects/deployments.json',
        'objects/redisTopologies.json',
        'objects/leases.json',
        'objects/secrets.json',
        'metrics/ingot-7c9d5f6b8-aaaaa.txt',
        'logs/ingot-redis-1/redis.log',
        'logs/ingot-redis-1/redis.previous.log',
        'logs/ingot-redis-1/keeper.log',
      ]),
    )
    expect(paths).not.toContain('logs/ingot-redis-0/redis.previous.log')
    const helm = files.get(`ingot-bundle-${RELEASE}/objects/helm.json`) ?? ''
    expect(helm).toContain('"version": "3"')
    expect(helm).not.toContain('the-values')
    const secrets: unknown = JSON.parse(files.get(`ingot-bundle-${RELEASE}/objects/secrets.json`) ?? '')
    expect(secrets).toContainEqual({ name: 'ingot-postgres', exists: true, keys: ['password'] })
    for (const [path, content] of files)
      if (path.endsWith('.json')) expect(() => JSON.parse(content) as unknown, path).not.toThrow()
    expect(manifest.files.length).toBe(files.size - 1)
    expect(requests.filter((line) => line.includes('/log?')).every((line) => line.includes('limitBytes='))).toBe(true)
    expect(requests.every((line) => line.startsWith('GET '))).toBe(true)
  })

  test('that could not be read are named, and the others are there', async () => {
    const { files, manifest } = await bundleOf(releaseObjects('sentinel'), { forbid: /\/(log|events)\b/ })
    expect(manifest.notRead.map(({ part }) => part)).toContain('logs/ingot-redis-0/redis.log')
    expect(manifest.notRead.map(({ part }) => part)).toContain('events')
    expect([...files.keys()]).toContain(`ingot-bundle-${RELEASE}/status.txt`)
  })
})

describe('redaction', () => {
  const redactor = createRedactor([])

  test.each([
    ['redis://ingot:hunter22@h:6379/0', 'redis://ingot:REDACTED@h:6379/0'],
    ['redis://:hunter22@h', 'redis://:REDACTED@h'],
    ['Authorization: Bearer abc.def-ghi', 'Authorization: Bearer REDACTED'],
    ['{"password":"hunter22","n":1}', '{"password":"REDACTED","n":1}'],
    ['{\\"apiKey\\":\\"hunter22\\"}', '{\\"apiKey\\":\\"REDACTED\\"}'],
    ['PGPASSWORD=hunter22 psql', 'PGPASSWORD=REDACTED psql'],
    ['requirepass hunter22', 'requirepass REDACTED'],
    ['user ingot on >hunter22 ~*', 'user ingot on >REDACTED ~*'],
    ['AUTH ingot hunter22', 'AUTH ingot REDACTED'],
    [
      '-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----',
      '-----BEGIN PRIVATE KEY-----REDACTED-----END PRIVATE KEY-----',
    ],
  ])('%j becomes %j', (text, clean) => {
    expect(redactor.text(text)).toBe(clean)
  })

  test.each([
    '"secretName": "ingot-redis"',
    'redis+sentinel://ingot-sentinel-0.shop.svc:26379/ingot',
    '{"level":30,"msg":"listening","url":"http://0.0.0.0:8080"}',
    'maxmemory 187904819',
  ])('%j stays', (text) => {
    expect(redactor.text(text)).toBe(text)
  })

  // a test that takes quadratic time ends at its timeout: 10^12 steps
  test.each([
    ['base64', 'QUJD'],
    ['dotted words', 'a.b-'],
    ['blank lines', '\n'],
    ['ACL users', 'user a '],
    ['schemes', 'x://'],
    ['names', 'password'],
    ['quotes', 'token="'],
    ['keys', '-----BEGIN PRIVATE KEY-----'],
    ['spaces after AUTH', 'AUTH    '],
  ])('a megabyte of %s takes no quadratic time', (_what, piece) => {
    const text = piece.repeat(Math.ceil((1024 * 1024) / piece.length))
    expect(createRedactor(['hunter22']).text(text).length).toBeGreaterThan(0)
  })

  test('objects lose what repeats or hides values', () => {
    const object = {
      metadata: {
        name: 'x',
        managedFields: [{}],
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', kept: '1' },
      },
      spec: {
        containers: [
          {
            env: [
              { name: 'MODE', value: 'sentinel' },
              { name: 'OWN', value: 'hidden' },
              { name: 'REF', valueFrom: {} },
            ],
          },
        ],
      },
    }
    expect(redactedObject(object as KubeObject)).toEqual({
      metadata: { name: 'x', annotations: { kept: '1' } },
      spec: {
        containers: [
          {
            env: [
              { name: 'MODE', value: 'sentinel' },
              { name: 'OWN', value: 'REDACTED' },
              { name: 'REF', valueFrom: {} },
            ],
          },
        ],
      },
    })
  })

  test('a secret is found in base64 of any text around it', () => {
    const secret = fc
      .string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' })
      .filter((text) => text.trim() === text)
    fc.assert(
      fc.property(secret, fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), (value, before, after) => {
        const text = Buffer.from(`${before}${value}${after}`).toString('base64')
        expect(createRedactor([value]).leakIn(`x ${text} y`)).toBe(true)
      }),
    )
  })
})

test('an archive has long paths, empty files and bytes of every length', () => {
  const entries = [
    { path: 'a/empty', content: '' },
    { path: `a/${'folder/'.repeat(12)}${'n'.repeat(60)}.log`, content: 'ä'.repeat(300) },
    { path: 'a/block', content: 'x'.repeat(512) },
  ]
  const archive = spawnSync('gzip', ['-c'], { input: tarOf(entries, Date.UTC(2026, 10, 29)) }).stdout
  expect(extract(archive)).toEqual(new Map(entries.map(({ path, content }) => [path, content])))
  expect(gunzipSync(archive).length % 512).toBe(0)
  expect(() => tarOf([{ path: 'n'.repeat(101), content: '' }], 0)).toThrow(RangeError)
})
