/**
 * Makes text from outside, such as a name in a content or the response of a server, safe for a terminal. A control
 * character could move the cursor, hide a line or send keys. Each becomes `\uXXXX`, which JSON also uses within
 * strings, so escaped JSON keeps its meaning.
 */

/**
 * C0, DEL and C1 controls, line and paragraph separators, and characters that reorder text. Source: Unicode, UAX #9.
 */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/** Returns the text with every such character escaped, except line feeds and tabs. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  )
}

/** Returns the text on one line, with every such character escaped. */
export function printableLine(text: string): string {
  return text.replace(UNSAFE, escaped)
}

/** Returns the escape of a character. All of them are in the basic multilingual plane. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
