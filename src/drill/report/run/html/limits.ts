/** Bounds of what the page shows. JSON has everything. */

export interface Limits {
  /** Rows of a table. */
  readonly rows: number
  /** Examples of a check. */
  readonly examples: number
  /** Characters of a text from outside. */
  readonly characters: number
}

/** From generous to frugal. The first whose page is small enough is used. */
export const LIMITS: readonly Limits[] = [
  { rows: 200, examples: 20, characters: 2_000 },
  { rows: 100, examples: 5, characters: 500 },
  { rows: 40, examples: 2, characters: 160 },
  { rows: 12, examples: 1, characters: 60 },
]

/** Returns the beginning of a text that is too long. Does not split a pair of surrogates. */
export function cut(text: string, { characters }: Pick<Limits, 'characters'>): string {
  if (text.length <= characters) return text
  return `${text.slice(0, characters).replace(/[\uD800-\uDBFF]$/u, '')}… (${text.length - characters} more characters)`
}
