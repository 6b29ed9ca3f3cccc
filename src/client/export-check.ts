/** Checks that bytes are an export of ingot: one line per item, each of them terminated. */
import { IngotError } from '../errors/error.ts'
import { printableLine } from '../std/printable.ts'

export interface ExportCheck {
  /** Throws IngotError REMOTE_REFUSED if a line does not begin as an item does. */
  push(chunk: Buffer): void
  /**
   * Throws IngotError REMOTE_UNREACHABLE if the last line is truncated, or the number of items differs from `count`.
   */
  end(count: string | undefined): void
}

/** The beginning of each line: the service writes the id first. */
const LINE_BEGIN = Buffer.from('{"id":')
const LINE_FEED = 0x0a

export function createExportCheck(origin: string): ExportCheck {
  let items = 0
  /** The first bytes of the current line. */
  let begin = Buffer.alloc(0)

  function line(part: Buffer): void {
    if (begin.length >= LINE_BEGIN.length) return
    begin = Buffer.concat([begin, part.subarray(0, LINE_BEGIN.length - begin.length)])
    if (!LINE_BEGIN.subarray(0, begin.length).equals(begin)) throw notAnExport(part)
  }

  function notAnExport(part: Buffer): IngotError {
    const text = printableLine(part.subarray(0, 100).toString('utf8'))
    return new IngotError('REMOTE_REFUSED', `${origin} sent no export: line ${items + 1} is not an item: ${text}`)
  }

  return {
    push(chunk) {
      let start = 0
      for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
        const part = chunk.subarray(start, end)
        line(part)
        if (begin.length < LINE_BEGIN.length) throw notAnExport(part)
        items++
        begin = Buffer.alloc(0)
        start = end + 1
      }
      line(chunk.subarray(start))
    },
    end(count) {
      if (begin.length > 0) throw torn(`${origin} ended the export within line ${items + 1}`)
      if (count === undefined || count === String(items)) return
      throw torn(`${origin} counted ${printableLine(count)} items in its export, ${items} arrived`)
    },
  }
}

function torn(message: string): IngotError {
  return new IngotError('REMOTE_UNREACHABLE', message)
}
