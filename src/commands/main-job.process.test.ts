/**
 * The main job on real input: Debian's package list goes over HTTP into the service, through `ingot ingest`. The stored
 * items are compared with those that plain JavaScript selects from the same lines, without any code of ingot.
 */
import { execFileSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { endProcesses, runIngot } from '../testing/process.ts'
import { type Service, startService } from '../testing/service.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/debian-packages/', import.meta.url))
const folder = temporaryFolder()
endProcesses()

type FlatRecord = Readonly<Record<string, string | null>>

/** Returns a key that is equal exactly for equal records: records are flat, and their values are strings or null. */
function keyOf(record: FlatRecord): string {
  return JSON.stringify(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

async function* recordsOf(file: string): AsyncGenerator<FlatRecord> {
  for await (const line of createInterface({ input: createReadStream(file) })) yield JSON.parse(line) as FlatRecord
}

/** Returns the first record of each key, with the key of its full content. */
async function distinct(file: string, key: (record: FlatRecord) => string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const record of recordsOf(file)) if (!found.has(key(record))) found.set(key(record), keyOf(record))
  return found
}

async function countLines(file: string): Promise<number> {
  let lines = 0
  for await (const _ of recordsOf(file)) lines++
  return lines
}

function hasAptCache(): boolean {
  try {
    execFileSync('apt-cache', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    // not Debian: the test uses the excerpts
    return false
  }
}

/** Returns the complete list if this machine has one, otherwise the excerpt in the repository. */
function listOf(kind: 'packages' | 'sources'): string {
  if (!hasAptCache()) {
    console.warn(`no apt-cache here: the main job runs on the excerpt of 2,000 ${kind}`)
    return join(EXAMPLE, `${kind}.ndjson`)
  }
  const file = join(folder, `${kind}.ndjson`)
  execFileSync('sh', [
    '-c',
    'apt-cache dumpavail | "$0" "$1" "$2" > "$3"',
    process.execPath,
    `${EXAMPLE}convert.mjs`,
    kind,
    file,
  ])
  return file
}

interface Summary {
  readonly complete: boolean
  readonly items: number
  readonly created: number
  readonly duplicate: number
  readonly failed: number
}

let service: Service
let sources: string
let packages: string

beforeAll(async () => {
  service = await startService({ data: join(folder, 'data') })
  sources = listOf('sources')
  packages = listOf('packages')
})

async function ingest(file: string, collection: string): Promise<Summary> {
  const { code, stdout, stderr } = await runIngot([
    'ingest',
    file,
    '--quiet',
    '--to',
    service.url,
    '-c',
    collection,
    '--json',
  ])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Summary
}

/** Returns all items of a collection by `key`. Fails for a duplicate key. */
async function stored(collection: string, key: (record: FlatRecord) => string): Promise<Map<string, string>> {
  const file = join(folder, `${collection}.export.ndjson`)
  const { code, stderr } = await runIngot(['export', '--from', service.url, '-c', collection, '--out', file])
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const found = new Map<string, string>()
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { content } = JSON.parse(line) as { content: FlatRecord }
    if (found.has(key(content))) throw new Error(`stored twice: ${line}`)
    found.set(key(content), keyOf(content))
  }
  return found
}

/** Does the same as `toEqual` a hundred times faster, and shows only a few differences. */
function expectSame(actual: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): void {
  expect(actual.size).toBe(expected.size)
  expect([...expected].filter(([key, content]) => actual.get(key) !== content).slice(0, 3)).toEqual([])
}

describe('the main job', () => {
  test('saves each source package once, and nothing when they are sent again', async () => {
    const expected = await distinct(sources, keyOf)
    const lines = await countLines(sources)
    expect(expected.size).toBeLessThan(lines)

    const first = await ingest(sources, 'sources')
    expect(first).toMatchObject({ complete: true, created: expected.size, duplicate: lines - expected.size, failed: 0 })
    expectSame(await stored('sources', keyOf), expected)

    const second = await ingest(sources, 'sources')
    expect(second).toMatchObject({ complete: true, items: lines, created: 0, duplicate: lines, failed: 0 })
    expect((await stored('sources', keyOf)).size).toBe(expected.size)
  })

  test('saves every package record completely', async () => {
    const expected = await distinct(packages, keyOf)
    const summary = await ingest(packages, 'packages')
    expect(summary).toMatchObject({ complete: true, created: expected.size, failed: 0 })
    expect(summary.items).toBe(await countLines(packages))
    expectSame(await stored('packages', keyOf), expected)
  })

  test("identifies records by Package, Version and Architecture if the collection's policy says so", async () => {
    const url = `${service.url}/v1/collections/versions`
    const policy = { kind: 'fields', include: ['/Package', '/Version', '/Architecture'] }
    const body = JSON.stringify(policy)
    const defined = await fetch(url, { method: 'PUT', body, headers: { 'content-type': 'application/json' } })
    expect(defined.ok).toBe(true)

    const versionOf = ({ Package, Version, Architecture }: FlatRecord): string =>
      JSON.stringify([Package, Version, Architecture])
    const expected = await distinct(packages, versionOf)
    const first = await ingest(packages, 'versions')
    expect(first).toMatchObject({ created: expected.size, duplicate: (await countLines(packages)) - expected.size })

    // the same packages with other descriptions: the first description stays
    const changed = join(folder, 'changed.ndjson')
    execFileSync('sh', ['-c', 'sed -e \'s/"Description":"/&Changed: /\' "$0" > "$1"', packages, changed])
    expect(await ingest(changed, 'versions')).toMatchObject({ created: 0, failed: 0 })
    expectSame(await stored('versions', versionOf), expected)
  })

  test('leaves a data folder that verify finds sound', async () => {
    expect((await service.stop()).code).toBe(0)
    const { code, stdout } = await runIngot(['verify', '--data', join(folder, 'data')])
    expect(stdout).toMatch(/\nsound\n$/)
    expect(code).toBe(0)
  })
})
