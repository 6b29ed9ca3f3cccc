import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLineSplitter } from '../std/lines.ts'
import { createFeed, type Feed } from './feed.ts'

const never = new AbortController().signal

async function* chunksOf(chunks: readonly string[], onRead: () => void = () => {}): AsyncGenerator<Buffer> {
  for (const chunk of chunks) {
    onRead()
    yield Buffer.from(chunk)
  }
}

function feedOf(chunks: readonly string[], maxKeptBytes?: number): Feed {
  let read = 0
  const source = { chunks: chunksOf(chunks, () => void read++), positionBytes: () => read }
  return createFeed(source, maxKeptBytes === undefined ? {} : { maxKeptBytes })
}

async function drain(feed: Feed): Promise<string> {
  let text = ''
  for (let chunk = await feed.next(never); chunk !== undefined; chunk = await feed.next(never)) text += chunk.toString()
  return text
}

/** Returns the lines that the next connection would get, by their line number in the source. */
async function onNextConnection(feed: Feed): Promise<Map<number, string>> {
  const before = feed.rewind()
  const splitter = createLineSplitter(1_000_000)
  const lines = [...splitter.push(Buffer.from(await drain(feed))), ...splitter.end()]
  return new Map(lines.map((line) => [before + line.line, line.bytes.toString()]))
}

describe('a feed', () => {
  test('yields the source once, unchanged', async () => {
    const feed = feedOf(['{"a":', '1}\n{"b"', ':2}\n\n', 'x'])
    expect(feed.rewind()).toBe(0)
    expect(await drain(feed)).toBe('{"a":1}\n{"b":2}\n\nx')
    expect(feed.items).toBe(3)
  })

  test('goes back to the first line without a result', async () => {
    const feed = feedOf(['1\n2\n3', '\n4\n'])
    await onNextConnection(feed)
    feed.answered(1)
    feed.answered(2)
    expect(await onNextConnection(feed)).toEqual(
      new Map([
        [3, '3'],
        [4, '4'],
      ]),
    )
  })

  test('does not wait for results of blank lines', async () => {
    const feed = feedOf(['1\n', ' \t\r\n\n', '\n\n', '2\n', '\n'])
    await onNextConnection(feed)
    feed.answered(1)
    expect(feed.awaitsAnswer).toBe(true)
    expect((await onNextConnection(feed)).get(6)).toBe('2')
    feed.answered(6)
    expect((await onNextConnection(feed)).size).toBeLessThanOrEqual(1)
    expect(feed.items).toBe(2)
  })

  test('reaches the end of a source of blank lines longer than the kept bytes', async () => {
    const feed = feedOf(
      Array.from({ length: 100 }, () => '\n'.repeat(100)),
      1_000,
    )
    expect((await drain(feed)).length).toBe(10_000)
    expect(feed.rewind()).toBe(10_000)
    expect(feed.items).toBe(0)
  })

  test('stops reading while too many bytes wait for results', async () => {
    const feed = feedOf(['1\n', '2\n', '3\n', '4\n'], 600)
    for (let n = 0; n < 3; n++) await feed.next(never)
    const next = feed.next(never)
    expect(await settlesNow(next)).toBe(false)
    feed.answered(1)
    expect(String(await next)).toBe('4\n')
  })

  test('keeps a chunk that arrives after the abort', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    async function* slow(): AsyncGenerator<Buffer> {
      await promise
      yield Buffer.from('1\n')
    }
    const feed = createFeed({ chunks: slow(), positionBytes: () => 0 })
    const controller = new AbortController()
    const waiting = feed.next(controller.signal)
    controller.abort(new Error('broken'))
    await expect(waiting).rejects.toThrow('broken')
    resolve()
    expect(await onNextConnection(feed)).toEqual(new Map([[1, '1']]))
  })

  test('sends a line longer than the kept bytes, but cannot send it again', async () => {
    const feed = feedOf(['1\n', 'a'.repeat(1_000), 'a'.repeat(1_000), 'a'.repeat(1_000), '\n3\n'], 2_000)
    const reading = drain(feed)
    feed.answered(1)
    expect((await reading).length).toBe(3_005)
    expect(() => feed.rewind()).toThrow(/line 2/)
    feed.answered(2)
    expect(await onNextConnection(feed)).toEqual(new Map([[3, '3']]))
  })

  test.each([0, 1, 9])('refuses a result for line %i, which is out of order', async (line) => {
    const feed = feedOf(['1\n2\n3\n'])
    await drain(feed)
    feed.answered(1)
    expect(() => feed.answered(line)).toThrow(/out of order/)
  })

  test('delivers every item under its own line number, for any chunks and any broken connections', async () => {
    const line = fc.oneof(fc.constantFrom('', ' ', '\t\r', '{"a":1}', 'x\r'), fc.string({ maxLength: 8 }).map(oneLine))
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 30 }),
        fc.boolean(),
        fc.infiniteStream(fc.integer({ min: 1, max: 12 })),
        fc.infiniteStream(fc.nat(5)),
        async (lines, ended, cuts, dice) => {
          const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '')
          const roll = (): number => Number(dice.next().value)
          const feed = feedOf(
            cut(text, () => Number(cuts.next().value)),
            ROOM,
          )
          const got = new Map<number, string>()
          await deliver(feed, got, roll)
          const items = lines
            .map((item, index) => [index + 1, item] as const)
            .filter(([, item]) => /[^ \t\r]/.test(item))
          expect(feed.items).toBe(items.length)
          for (const [number, item] of items) expect(trimmed(got.get(number) ?? '')).toBe(trimmed(item))
          expect(got.size).toBe(items.length)
        },
      ),
      { numRuns: 300 },
    )
  })
})

/** Enough for the bytes of the longest line above in chunks of one byte each, and a few more. */
const ROOM = 16 * 260

async function settlesNow(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))])
}

function oneLine(text: string): string {
  return text.replaceAll('\n', '')
}

/**
 * Removes blanks at the ends of a line, which are not part of an item: leading ones may get lost when a connection
 * breaks.
 */
function trimmed(line: string): string {
  return line.replaceAll(/^[ \t\r]+|[ \t\r]+$/g, '')
}

function cut(text: string, length: () => number): string[] {
  const chunks: string[] = []
  for (let at = 0; at < text.length; ) {
    const end = at + length()
    chunks.push(text.slice(at, end))
    at = end
  }
  return chunks
}

/** A service that responds at random, over a connection that breaks at random. */
async function deliver(feed: Feed, got: Map<number, string>, roll: () => number): Promise<void> {
  for (let breaks = 0; ; breaks++) {
    const before = feed.rewind()
    const splitter = createLineSplitter(1_000)
    const open: [number, string][] = []
    const take = (lines: ReturnType<typeof splitter.push>): void => {
      for (const line of lines) {
        const text = line.bytes.toString()
        if (/[^ \t\r]/.test(text)) open.push([before + line.line, text])
      }
    }
    const answer = (count: number): void => {
      for (const [number, text] of open.splice(0, count)) {
        feed.answered(number)
        got.set(number, text)
      }
    }
    for (;;) {
      const next = feed.next(never)
      // without free capacity, only results help
      while (!(await settlesNow(next))) answer(1)
      const chunk = await next
      if (chunk === undefined) {
        take(splitter.end())
        answer(open.length)
        return
      }
      take(splitter.push(chunk))
      answer(roll())
      if (breaks < 20 && roll() === 0) break
    }
  }
}
