/** Wrong settings and arguments through the complete command line: each gets one sentence that says what to do. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../std/clock.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { noSignals } from '../testing/signals.ts'
import { runLine } from './line/line.ts'
import { COMMANDS } from './table.ts'

const folder = temporaryFolder()
afterEach(() => vi.unstubAllEnvs())

function fileOf(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

type Env = Readonly<Record<string, string>>

async function run(argv: readonly string[], env: Env) {
  for (const [name, value] of Object.entries({ INGOT_DATA: join(folder, 'data'), ...env })) vi.stubEnv(name, value)
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const io = { stdin, stdout, stderr, clock: systemClock, signal: AbortSignal.timeout(15_000), takeSignals: noSignals }
  const code = await runLine(argv, io, { commands: COMMANDS, version: '0', debug: false })
  stdout.end()
  stderr.end()
  return { code, out: await text(stdout), err: await text(stderr) }
}

const MAPPING = fileOf('mapping.json', '{"find": {"url": "/"}, "save": {"url": "/", "body": {}}}')
const HTTP = { INGOT_STORE_URL: 'http://me:secret@127.0.0.1:1', INGOT_STORE_MAPPING: MAPPING }
const HTTPS = { ...HTTP, INGOT_STORE_URL: 'https://me:secret@127.0.0.1:1' }

test.each<[string, string, Env, string]>([
  [
    'serve',
    'an http store without a mapping',
    { ...HTTP, INGOT_STORE_MAPPING: '' },
    'INGOT_STORE_MAPPING does not say',
  ],
  ['serve', 'an http store without locks', HTTP, 'INGOT_LOCK_URL is missing'],
  ['serve', 'an http store with locks switched off', { ...HTTP, INGOT_LOCK_MODE: 'never' }, 'use auto'],
  ['serve', 'a missing mapping', { ...HTTP, INGOT_STORE_MAPPING: '/nowhere' }, 'INGOT_STORE_MAPPING: "/nowhere"'],
  ['serve', 'a missing file of authorities', { ...HTTPS, INGOT_STORE_CA: '/nowhere' }, 'INGOT_STORE_CA: "/nowhere"'],
  ['serve', 'a file without authorities', { ...HTTPS, INGOT_STORE_CA: MAPPING }, 'contains no certificate in PEM'],
  [
    'serve',
    'authorities for a store without TLS',
    { ...HTTP, INGOT_STORE_CA: MAPPING },
    'INGOT_STORE_URL is not https',
  ],
  ['serve', 'authorities for the embedded store', { INGOT_STORE_CA: MAPPING }, 'INGOT_STORE_URL is not https'],
  ['serve', 'locks without a lock service', { INGOT_LOCK_MODE: 'always' }, 'INGOT_LOCK_URL is missing'],
  ['serve', 'a cache of an embedded store', { INGOT_CACHE_URL: 'redis://h' }, 'INGOT_CACHE_URL is set'],
  ['serve', 'a data folder that is a file', { INGOT_DATA: MAPPING }, 'INGOT_DATA: cannot create a data folder'],
  ['serve', 'an invalid port', { INGOT_LISTEN: '127.0.0.1:80000' }, 'there is no port 80000, use 0 to 65535'],
  [
    'export -c x --from http://h:80000',
    'an invalid port',
    {},
    '--from names port 80000, but the highest port is 65535',
  ],
  [
    'export -c x --from http://h/v1',
    'the path of the API',
    {},
    '--from contains the path of the API, write http://h: /v1',
  ],
  ['export -c x --from http://h/a/v1/collections/x/', 'a path below the API', {}, 'write http://h/a: /v1 and the rest'],
  ['epoch show', 'an http store', HTTP, 'has no epochs'],
  [
    'drill canary --out /dev/null',
    'an unknown lock service',
    { INGOT_LOCK_URL: 'foo://me:secret@h' },
    'expected redis://',
  ],
  ['drill canary --out /dev/null', 'no lock service', {}, 'neither --lock URL nor INGOT_LOCK_URL is set'],
])('%s refuses %s', async (command, _what, env, sentence) => {
  const { code, out, err } = await run(command.split(' '), env)
  expect(err).toContain(sentence)
  expect(err).toMatch(/^(CONFIG|USAGE)_INVALID: .+\n {2}\S.+\n$/)
  expect(err).not.toContain('secret')
  expect({ code, out }).toEqual({ code: 2, out: '' })
})

test.each<[string, Env, string]>([
  ['in an external API', HTTP, 'is an external API'],
  ['embedded', {}, 'is migrated when it is opened'],
])('migrate has nothing to do for a store that is %s, and shows no password', async (_what, env, why) => {
  const { code, out } = await run(['migrate'], env)
  expect(out).toMatch(/: nothing to do\n$/)
  expect(out).toContain(why)
  expect(out).not.toContain('secret')
  expect(code).toBe(0)
})
