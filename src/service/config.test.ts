import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { redisCacheUrls } from '../items/cache/redis/registration.ts'
import { DATABASE_URLS, STORE_URLS } from '../items/registry.ts'
import { FENCE_URLS } from '../lock/fencing/registry.ts'
import { LOCK_URLS } from '../lock/registry.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { loadServiceConfig } from './config.ts'

test.each([
  ['a scheme that no adapter has', { INGOT_STORE_URL: 'postgress://me:secret@db/items' }],
  ['a missing slash', { INGOT_STORE_URL: 'postgres:/me:s/e"c@secret@db/items' }],
  ['a password in the parameters', { INGOT_CACHE_URL: 'redis-sentinel://h/m?sentinel-password=secret' }],
  ['no scheme', { INGOT_LOCK_URL: 'me:secret@redis:6379' }],
  ['a password that is not percent-encoded', { INGOT_STORE_URL: 'postgres://me:s/secret@db/items' }],
])('never shows the password of a URL that it refuses because of %s', (_what, environment) => {
  expect(() => loadServiceConfig(environment)).toThrow(/ is not/)
  expect(() => loadServiceConfig(environment)).not.toThrow('secret')
})

test.each([
  ['INGOT_STORE_URL', 'http://a host'],
  ['INGOT_STORE_URL', 'postgres://db:port/items'],
  ['INGOT_STORE_DIRECT_URL', 'postgres://me:a/b@db/items'],
  ['INGOT_LOCK_FENCES', 'postgres://me:a#b@db:1/fences'],
])('refuses %s at the start when it is malformed: %s', (name, url) => {
  expect(() => loadServiceConfig({ [name]: url })).toThrow(/is not a valid URL: .*percent-encode/)
})

test('accepts a Postgres URL that names its host in the parameters', () => {
  const url = 'postgres://me:pw@/items?host=/run/postgresql'
  expect(loadServiceConfig({ INGOT_STORE_URL: url }).storeUrl).toBe(url)
})

test.each([
  ['INGOT_STORE_URL', STORE_URLS],
  ['INGOT_STORE_DIRECT_URL', DATABASE_URLS],
  ['INGOT_LOCK_URL', LOCK_URLS],
  ['INGOT_LOCK_DIRECT_URL', DATABASE_URLS],
  ['INGOT_LOCK_FENCES', FENCE_URLS],
  ['INGOT_CACHE_URL', [redisCacheUrls]],
] as const)('lists the URLs that %s may hold', (name, forms) => {
  const examples = forms.flatMap((form) => form.examples)
  expect(examples.length).toBeGreaterThan(0)
  for (const example of examples) expect(() => loadServiceConfig({ [name]: 'mongodb://h' })).toThrow(example)
})

test('lists them as a sentence', () => {
  const allowed = 'memory:, sqlite:FILE or postgres://user:password@host:port/database'
  expect(() => loadServiceConfig({ INGOT_LOCK_FENCES: 'mongodb://h' })).toThrow(`"mongodb://h" is not ${allowed}`)
})

test('reports a wrong URL together with all other problems', () => {
  const path = join(temporaryFolder(), 'config.json')
  writeFileSync(path, '{"storeUrl": 5, "lockUrl": "mongodb://h", "maxDepth": 0}')
  const attempt = (): unknown => loadServiceConfig({ INGOT_CONFIG: path })
  expect(attempt).toThrow('INGOT_STORE_URL ("storeUrl" in a file): 5 is not a URL')
  expect(attempt).toThrow('INGOT_LOCK_URL ("lockUrl" in a file): "mongodb://h" is not memory:')
  expect(attempt).toThrow('INGOT_MAX_DEPTH')
})

test('accepts every URL that an adapter declares', () => {
  const environment = {
    INGOT_STORE_URL: 'postgresql://me@db/items',
    INGOT_STORE_DIRECT_URL: 'postgres://me@db/items',
    INGOT_LOCK_URL: 'redis+sentinel://a:1,b:2,c:3/ingot',
    INGOT_LOCK_FENCES: 'sqlite:./fences.db',
    INGOT_CACHE_URL: 'redis+cluster://a,b',
  }
  expect(loadServiceConfig(environment)).toMatchObject({ cacheUrl: 'redis+cluster://a,b' })
})
