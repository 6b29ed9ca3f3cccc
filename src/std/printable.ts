/**
 * Text from outside, such as a name in a content or an answer of a server, made safe for a terminal: a control
 * character in it could move the cursor, hide a line or send keys. Each becomes `\uXXXX`, which is also what JSON
 * writes within a string, so that escaped JSON keeps its meaning.
 */

/** C0, DEL and C1 controls, line and paragraph separators, and what reorders text. Source: Unicode, UAX #9. */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/** Returns the text with every such character escaped, except line feeds and tabs. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  )
}

/** Returns the text with every such character escaped, so that it cannot pretend to be another line. */
export function printableLine(text: string): string {
  return text.replace(UNSAFE, escaped)
}

/** All of them lie in the basic plane. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
