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
  test('reads a file unchanged, with its size', async () => {
    const source = await openFile(fileOf('plain.ndjson', TEXT))
    expect(source.totalBytes).toBe(TEXT.length)
    expect(await textOf(source)).toBe(TEXT)
    expect(source.positionBytes()).toBe(TEXT.length)
  })

  test('decompresses a file whose first bytes are gzip, whatever its name', async () => {
    const compressed = gzipSync(TEXT)
    const source = await openFile(fileOf('compressed.ndjson', compressed))
    expect(source.totalBytes).toBe(compressed.length)
    expect(await textOf(source)).toBe(TEXT)
    expect(source.positionBytes()).toBe(compressed.length)
  })

  test('reads several concatenated gzip files', async () => {
    const path = fileOf('two.gz', gzipSync('1\n'))
    appendFileSync(path, gzipSync('2\n'))
    expect(await textOf(await openFile(path))).toBe('1\n2\n')
  })

  test('reads a pipe in chunks of any size', async () => {
    const bytes = gzipSync('1\n2\n')
    const single = Array.from(bytes, (byte) => Buffer.from([byte]))
    expect(await textOf(openStream(Readable.from(single), 'pipe'))).toBe('1\n2\n')
    expect(await textOf(openStream(Readable.from([Buffer.from('1')]), 'pipe'))).toBe('1')
    expect(await textOf(openStream(Readable.from([]), 'pipe'))).toBe('')
  })

  test('refuses a truncated gzip file', async () => {
    const compressed = gzipSync(TEXT)
    const source = await openFile(fileOf('cut.gz', compressed.subarray(0, compressed.length - 10)))
    await expect(textOf(source)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
  })

  test.each([
    ['text', Buffer.from('not gzip')],
    ['half a header', Buffer.from([0x1f])],
    ['a byte that is not zero', Buffer.from([1])],
  ])('refuses %s between two gzip members', async (_what, junk) => {
    for (const rest of [gzipSync('2\n'), Buffer.alloc(0)]) {
      const source = await openFile(fileOf('between.gz', Buffer.concat([gzipSync('1\n'), junk, rest])))
      await expect(textOf(source)).rejects.toMatchObject({
        code: 'INPUT_UNREADABLE',
        message: expect.stringMatching(/between\.gz": the gzip data is damaged after byte \d+/) as string,
      })
    }
  })

  test.each([
    ['zero bytes', Buffer.alloc(40)],
    ['zero bytes that fill several chunks', Buffer.alloc(700_000)],
  ])('refuses %s between two gzip members, after the first member', async (_what, junk) => {
    const first = gzipSync('1\n')
    const source = await openFile(fileOf('between.gz', Buffer.concat([first, junk, gzipSync('2\n')])))
    const read: string[] = []
    const reading = (async () => {
      for await (const chunk of source.chunks) read.push(chunk.toString())
    })()
    await expect(reading).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
      message: expect.stringMatching(/between\.gz": .*\bbyte \d+/) as string,
    })
    expect(read.join('')).toBe('1\n')
  })

  test('names both positions for junk after zero bytes', async () => {
    const first = gzipSync('1\n')
    const bytes = Buffer.concat([first, Buffer.alloc(10), Buffer.from('x')])
    const single = Array.from(bytes, (byte) => Buffer.from([byte]))
    for (const stream of [Readable.from([bytes]), Readable.from(single)]) {
      await expect(textOf(openStream(stream, 'pipe'))).rejects.toThrow(
        `a gzip member ends at byte ${first.length}, and the data at byte ${first.length + 10} is neither`,
      )
    }
  })

  test.each([1, 3, 512, 1_000_000])('accepts %s zero bytes of padding at the end', async (zeros) => {
    const bytes = Buffer.concat([gzipSync('1\n'), gzipSync('2\n'), Buffer.alloc(zeros)])
    const source = await openFile(fileOf('padded.gz', bytes))
    expect(await textOf(source)).toBe('1\n2\n')
    expect(source.positionBytes()).toBe(bytes.length)
  })

  test.each([1, 7, 100_000])('reads gzip members the same in chunks of %s bytes', async (size) => {
    const bytes = Buffer.concat([gzipSync(TEXT), gzipSync(''), gzipSync('end\n'), Buffer.alloc(9)])
    const chunks = function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    expect(await textOf(openStream(Readable.from(chunks()), 'pipe'))).toBe(`${TEXT}end\n`)
  })

  test.each([
    ['does not exist', join(folder, 'nothing'), /ENOENT/],
    ['is a folder', folder, /it is a folder/],
  ])('refuses a path that %s before reading anything', async (_what, path, why) => {
    await expect(openFile(path)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
    await expect(openFile(path)).rejects.toThrow(why)
  })
})
