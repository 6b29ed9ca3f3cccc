/**
 * JSON pointers (RFC 6901). A place has exactly one spelling, so two pointers are the same when their texts are.
 */

/** The member names and indices on the way to a place, unescaped. */
export type Path = readonly string[]

const FORM = /^(?:\/(?:[^~/]|~[01])*)+$/

/** The path of a pointer other than the empty one; `undefined` when the text is no such pointer. */
export function parsePointer(text: string): Path | undefined {
  if (!FORM.test(text) || SURROGATE.test(text)) return undefined
  return text.slice(1).split('/').map(unescape)
}

/** `~1` before `~0`, as the RFC says: `~01` is the name `~1`, not `/`. */
function unescape(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** Half of a pair: no item that is accepted has such a name. */
const SURROGATE = /\p{Surrogate}/u

const INDEX = /^(?:0|[1-9]\d*)$/

/** The array index that a step names; `undefined` for anything else, `-` and `01` among it. */
export function stepIndex(step: string): number | undefined {
  return INDEX.test(step) ? Number(step) : undefined
}
