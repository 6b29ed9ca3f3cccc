import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { openFile, openStream, type Source } from './source.ts'

const folder = temporaryFolder()

async function textOf(source: Source): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of source.chunks) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function fileOf(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const TEXT = '{"a":1}\n'.repeat(100_000)

describe('a source', () => {
  test('is a file as it is, with its size', async () => {
    const source = await openFile(fileOf('plain.ndjson', TEXT))
    expect(source.totalBytes).toBe(TEXT.length)
    expect(await textOf(source)).toBe(TEXT)
    expect(source.positionBytes()).toBe(TEXT.length)
  })

  test('is decompressed when its first bytes say gzip, whatever its name', async () => {
    const compressed = gzipSync(TEXT)
    const source = await openFile(fileOf('compressed.ndjson', compressed))
    expect(source.totalBytes).toBe(compressed.length)
    expect(await textOf(source)).toBe(TEXT)
    expect(source.positionBytes()).toBe(compressed.length)
  })

  test('may be several gzip files one after another', async () => {
    const path = fileOf('two.gz', gzipSync('1\n'))
    appendFileSync(path, gzipSync('2\n'))
    expect(await textOf(await openFile(path))).toBe('1\n2\n')
  })

  test('may be a pipe, in chunks as small as they come', async () => {
    const bytes = gzipSync('1\n2\n')
    const single = Array.from(bytes, (byte) => Buffer.from([byte]))
    expect(await textOf(openStream(Readable.from(single), 'pipe'))).toBe('1\n2\n')
    expect(await textOf(openStream(Readable.from([Buffer.from('1')]), 'pipe'))).toBe('1')
    expect(await textOf(openStream(Readable.from([]), 'pipe'))).toBe('')
  })

  test('that is cut off is refused, not taken for whole', async () => {
    const compressed = gzipSync(TEXT)
    const source = await openFile(fileOf('cut.gz', compressed.subarray(0, compressed.length - 10)))
    await expect(textOf(source)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
  })

  test.each([
    ['is not there', join(folder, 'nothing'), /ENOENT/],
    ['is a folder', folder, /it is a folder/],
  ])('that %s is refused before anything is read', async (_what, path, why) => {
    await expect(openFile(path)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
    await expect(openFile(path)).rejects.toThrow(why)
  })
})
