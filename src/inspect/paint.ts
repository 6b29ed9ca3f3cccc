/** Colours of a terminal, and tables. Text from outside is made safe before it is coloured. Pure. */
import { printableLine } from '../std/printable.ts'

export type Tone = 'plain' | 'good' | 'bad' | 'dim' | 'bold'

/** SGR codes of ECMA-48. */
const CODES: Readonly<Record<Tone, string>> = { plain: '', good: '32', bad: '31', dim: '2', bold: '1' }

export interface Cell {
  readonly text: string
  readonly tone: Tone
}

/** Returns the text of cells on one line. Without colours it has no control characters. */
export type Paint = (text: string, tone?: Tone) => string

export function createPaint(colours: boolean): Paint {
  return (text, tone = 'plain') => {
    const safe = printableLine(text)
    return colours && tone !== 'plain' ? `\u001B[${CODES[tone]}m${safe}\u001B[0m` : safe
  }
}

export const cell = (text: string, tone: Tone = 'plain'): Cell => ({ text, tone })

/** Returns the rows with aligned columns, indented by `indent` spaces. */
export function table(rows: readonly (readonly Cell[])[], paint: Paint, indent: number): readonly string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, { text }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length)
  }
  return rows.map((row) => {
    const cells = row.map(({ text, tone }, column) => {
      const isLast = column === row.length - 1
      return paint(text, tone) + ' '.repeat(isLast ? 0 : (widths[column] ?? 0) - text.length + 2)
    })
    return ' '.repeat(indent) + cells.join('')
  })
}
