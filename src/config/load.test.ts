import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { type Environment, loadConfig } from './load.ts'
import type { Config, UrlForms } from './schema.ts'
import { loadTokens } from './tokens.ts'

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

const ANY: UrlForms[keyof UrlForms] = [{ schemes: ['sqlite', 'any'], examples: ['any:'] }]
const URLS: UrlForms = {
  storeUrl: ANY,
  storeDirectUrl: ANY,
  lockUrl: ANY,
  lockDirectUrl: ANY,
  lockFences: ANY,
  cacheUrl: ANY,
}

function load(environment: Environment): Config {
  return loadConfig(URLS, environment)
}

const folder = temporaryFolder()

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

test('has a default for every setting that needs one', () => {
  expect(load({})).toMatchObject({
    listen: '127.0.0.1:8080',
    data: './data',
    storeUrl: 'sqlite:',
    access: 'auto',
  })
})

test('prefers the environment to the file', () => {
  const path = file('config.json', '{"listen": "127.0.0.1:1", "maxDepth": 5}')
  expect(load({ INGOT_CONFIG: path, INGOT_LISTEN: '127.0.0.1:2', INGOT_MAX_BATCH_ITEMS: '7' })).toMatchObject({
    listen: '127.0.0.1:2',
    maxDepth: 5,
    maxBatchItems: 7,
  })
})

test('reports every problem at once, with the allowed values', () => {
  const path = file('bad.json', '{"drain": "soon", "colour": "red"}')
  const attempt = (): unknown =>
    load({
      INGOT_CONFIG: path,
      INGOT_LISTEN: 'here',
      INGOT_MAX_DEPTH: 'deep',
      INGOT_LISTEM: 'x',
      INGOT_LOG_LEVEL: 'loud',
    })
  for (const part of [
    'INGOT_LISTEN ("listen" in a file): "here" is not host:port',
    'INGOT_MAX_DEPTH ("maxDepth" in a file): "deep" is not a whole number from 1 to 1000',
    'INGOT_DRAIN ("drain" in a file): "soon" is not a duration',
    'INGOT_LOG_LEVEL ("logLevel" in a file): "loud" is not debug, info, warn, error, silent',
    'INGOT_LISTEM: there is no such setting, did you mean INGOT_LISTEN?',
    'colour: there is no such setting',
  ]) {
    expect(attempt).toThrow(part)
  }
  expect(attempt).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error)
})

test('shows nothing of a malformed file', () => {
  const path = file('torn.json', '{"storeUrl": postgres://me:secret@db/items}')
  expect(() => load({ INGOT_CONFIG: path })).toThrow(`INGOT_CONFIG: "${path}" is not well-formed JSON`)
  expect(() => load({ INGOT_CONFIG: path })).not.toThrow('secret')
})

test('ignores variables that Kubernetes sets', () => {
  const environment = {
    INGOT_SERVICE_HOST: '10.0.0.1',
    INGOT_PORT: 'tcp://10.0.0.1:80',
    INGOT_PORT_80_TCP_ADDR: '10.0.0.1',
  }
  expect(() => load(environment)).not.toThrow()
})

test.each(['', '[]', 'nothing'])('refuses a configuration file that holds %j', (content) => {
  expect(() => load({ INGOT_CONFIG: file('broken.json', content) })).toThrow('INGOT_CONFIG')
})

const HASH = 'a'.repeat(64)

test('reads tokens', () => {
  const tokens = [{ name: 'loader', sha256: HASH, collections: { '*': ['read'], orders: ['write', 'delete'] } }]
  expect(loadTokens(file('tokens.json', JSON.stringify({ tokens })), NAME)).toEqual(tokens)
})

test.each([
  ['nothing', '{}'],
  ['a token in clear', JSON.stringify({ tokens: [{ name: 'a', token: 'secret', collections: {} }] })],
  ['an unknown right', JSON.stringify({ tokens: [{ name: 'a', sha256: HASH, collections: { x: ['own'] } }] })],
  [
    'a duplicate name',
    JSON.stringify({ tokens: [1, 2].map((n) => ({ name: 'a', sha256: `${n}`.repeat(64), collections: {} })) }),
  ],
  ['no JSON', '{'],
])('refuses a tokens file with %s', (_what, content) => {
  expect(() => loadTokens(file('bad-tokens.json', content), NAME)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
  )
})

test.each([
  ['', '/tokens/0/sha256: has 0 hex digits'],
  ['ab'.repeat(31), '/tokens/0/sha256: has 62 hex digits, a SHA-256 hash has 64'],
  ['AB'.repeat(32), '/tokens/0/sha256: write the hash in lower case'],
  ['my-secret-token', '/tokens/0/sha256: a SHA-256 hash has only hex digits: put the hash here, never the token'],
  [createHash('sha256').digest('hex'), '/tokens/0/sha256: is the hash of an empty text'],
  [createHash('sha256').update('\n').digest('hex'), '/tokens/0/sha256: is the hash of an empty text'],
])('refuses the hash %j, which no token can have', (sha256, reason) => {
  const content = JSON.stringify({ tokens: [{ name: 'a', sha256, collections: {} }] })
  expect(() => loadTokens(file('bad-hash.json', content), NAME)).toThrow(reason)
  expect(() => loadTokens(file('bad-hash.json', content), NAME)).not.toThrow('my-secret-token')
})

test.each([
  ['Orders', '"Orders" would never match: a collection'],
  ['orders/items', '"orders/items" would never match: a collection'],
  ['', '"" would never match: a collection'],
  ['orders-*', '"orders-*" would never match: "*" stands only alone'],
])('refuses rights on the collection %j, which cannot exist', (key, reason) => {
  const content = JSON.stringify({ tokens: [{ name: 'a', sha256: 'ab'.repeat(32), collections: { [key]: ['read'] } }] })
  expect(() => loadTokens(file('bad-key.json', content), NAME)).toThrow(`/tokens/0/collections: ${reason}`)
})

test('refuses a budget for all bodies that is smaller than the largest body', () => {
  expect(() => load({ INGOT_MAX_RECEIVING_BYTES: '1000000' })).toThrow(
    /INGOT_MAX_RECEIVING_BYTES .* is less than maxBatchBytes, 16777216.*\n.* is less than maxItemBytes, 1048576/,
  )
  expect(load({ INGOT_MAX_RECEIVING_BYTES: '16777216' }).maxReceivingBytes).toBe(16_777_216)
})
