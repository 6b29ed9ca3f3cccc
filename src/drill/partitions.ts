/**
 * Divides a history into parts, so that a history larger than memory can be judged part by part. Every promise about
 * items concerns one content, so the operations on a content stay together in one part. Events that concern all
 * contents (faults, phases) are written to every part. Each part is a complete history with its own numbering. The same
 * checkers, and `ingot check`, can judge it.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Entry, type Event, machineMs } from './history.ts'

/** Name of a part. `lock` holds the operations on locks and registers. */
export type PartName = number | 'lock'

export interface PartitionedRecorder extends Disposable {
  /**
   * Writes the entry to its part, or to all parts, and returns the event as the last part has it. Up to 64 KiB of a
   * part stay in memory until `Symbol.dispose`, which writes them.
   */
  record(entry: Entry): Event
}

export interface PartitionOptions {
  /** Number of parts of item operations. */
  readonly parts: number
  /** Returns the part of a content, from 0 to `parts` - 1, given the event's `key`. */
  readonly partOf: (key: string) => number
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: () => number
}

const BUFFER_CHARS = 65_536

/** Returns the path of a part's file. */
export function partFile(folder: string, part: PartName): string {
  return join(folder, `history-${part}.ndjson`)
}

/** Creates the folder, and a new file for each part. Throws the error of the file system. */
export function createPartitionedRecorder(folder: string, options: PartitionOptions): PartitionedRecorder {
  const { parts, partOf, wallMs } = options
  mkdirSync(folder, { recursive: true })
  const items = Array.from({ length: parts }, (_, part) => createPart(partFile(folder, part)))
  const lock = createPart(partFile(folder, 'lock'))
  const all = [...items, lock]

  function partsFor({ f, key }: Entry): readonly Part[] {
    if (f === 'fault' || f === 'phase') return all
    if (f !== 'save' && f !== 'delete') return [lock]
    const part = items[partOf(key)]
    if (part === undefined) throw new RangeError(`there is no part for the key "${key}"`)
    return [part]
  }

  return {
    record(entry) {
      const times = { tMono: entry.tMono ?? machineMs(), tWall: entry.tWall ?? wallMs() }
      const events = partsFor(entry).map((part) => part.write({ ...entry, ...times }))
      const last = events.at(-1)
      // the part of the locks always exists
      if (last === undefined) throw new RangeError('a history needs at least one part')
      return last
    },
    [Symbol.dispose]() {
      for (const part of all) part.close()
    },
  }
}

interface Part {
  write(entry: Omit<Event, 'seq'>): Event
  close(): void
}

function createPart(path: string): Part {
  const fd = openSync(path, 'w')
  let seq = 0
  let buffer = ''
  function flush(): void {
    writeSync(fd, buffer)
    buffer = ''
  }
  return {
    write(entry) {
      const event: Event = { ...entry, seq: ++seq }
      buffer += `${JSON.stringify(event)}\n`
      if (buffer.length >= BUFFER_CHARS) flush()
      return event
    },
    close() {
      flush()
      closeSync(fd)
    },
  }
}
