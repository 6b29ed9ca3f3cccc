/** Whether bytes are an export of ingot: a line per item, each of them ended. */
import { IngotError } from '../errors/error.ts'
import { printableLine } from '../std/printable.ts'

export interface ExportCheck {
  /** @throws IngotError REMOTE_REFUSED when a line begins otherwise than an item does */
  push(chunk: Buffer): void
  /** @throws IngotError REMOTE_UNREACHABLE when the last line is torn, or items are missing of those that were counted */
  end(count: string | undefined): void
}

/** How the service begins each line: it writes the id first. */
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
