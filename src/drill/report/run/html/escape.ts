/** Makes text from outside safe in HTML. Pure. */
import { printableLine } from '../../../../std/printable.ts'

/** A piece of markup. Only this file makes one, so text from outside cannot become markup unescaped. */
export interface Html {
  readonly markup: string
}

const ENTITIES: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return printableLine(text).replaceAll(/[<>&"']/g, (character) => ENTITIES[character] ?? character)
}

type Part = Html | string | number | undefined | readonly Html[]

/** Template tag: escapes each value, also within a quoted attribute. Values that are markup already are kept. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const markup = strings.map((text, index) => `${text}${markupOf(parts[index])}`).join('')
  return { markup }
}

/** Returns trusted text, such as the style sheet, as markup. */
export function trusted(markup: string): Html {
  return { markup }
}

/** Returns the markup if the condition holds. */
export function when(condition: boolean, markup: () => Html): Html {
  return condition ? markup() : NOTHING
}

export const NOTHING: Html = { markup: '' }

function markupOf(part: Part): string {
  if (part === undefined) return ''
  if (typeof part === 'string') return escaped(part)
  if (typeof part === 'number') return String(part)
  return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('')
}
