/**
 * Parses JSON pointers (RFC 6901). A location has exactly one spelling, so two pointers are equal exactly if their
 * texts are.
 */

/** The unescaped member names and indices that lead to a location. */
export type Path = readonly string[]

const FORM = /^(?:\/(?:[^~/]|~[01])*)+$/

/** Returns the path of a non-empty pointer, or `undefined` if the text is not one. */
export function parsePointer(text: string): Path | undefined {
  if (!FORM.test(text) || SURROGATE.test(text)) return undefined
  return text.slice(1).split('/').map(unescape)
}

/** Replaces `~1` before `~0`, as the RFC requires: `~01` is the name `~1`, not `/`. */
function unescape(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** A lone surrogate. No accepted item has such a name. */
const SURROGATE = /\p{Surrogate}/u

const INDEX = /^(?:0|[1-9]\d*)$/

/** Returns the array index that a step names, or `undefined` for any other step, such as `-` and `01`. */
export function stepIndex(step: string): number | undefined {
  return INDEX.test(step) ? Number(step) : undefined
}
