/**
 * Spellings of an item: the same value in other bytes, and the forms of a request. Runs in k6 and in Node, so it uses no
 * API of either.
 */

/** Characters that JSON escapes, that UTF-8 encodes in two to four bytes, and ordinary letters. */
export const LETTERS = ['a', 'b', 'e', 'n', 'r', ' ', '"', '\\', '/', 'ä', '€', '😀']

export type Form = 'single' | 'batch' | 'stream'

/** Returns the text as a JSON string with every UTF-16 unit escaped. */
export function escapeAll(text: string): string {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0'))
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`
}
