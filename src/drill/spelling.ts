/**
 * How an item of a drill may be written and sent: the same value in other bytes, and what a request carries it in. Runs
 * in k6 as well as in Node: nothing of either is used.
 */

/** Letters, and what JSON escapes, or UTF-8 writes in two to four bytes. */
export const LETTERS = ['a', 'b', 'e', 'n', 'r', ' ', '"', '\\', '/', 'ä', '€', '😀']

export type Form = 'single' | 'batch' | 'stream'

/** The text in JSON, with every UTF-16 unit escaped. */
export function escapeAll(text: string): string {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0'))
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`
}
