/**
 * JSON values in the form from which ids are computed, and their RFC 8785 text: members ordered by the UTF-16 code
 * units of their names, numbers and strings as ECMAScript writes them, no whitespace.
 *
 * A value other than an array or object is kept as its canonical text, so nothing is lost or written twice.
 */

export type Canonical = string | readonly Canonical[] | CanonicalObject

/** Members in the order of their names, without duplicates. */
export interface CanonicalObject {
  readonly members: readonly Member[]
}

export interface Member {
  readonly name: string
  /** The name in quotes, as it is written. */
  readonly quoted: string
  readonly value: Canonical
}

/** Narrows to a list, because `Array.isArray` does not narrow read-only arrays. */
export function isList(value: Canonical): value is readonly Canonical[] {
  return Array.isArray(value)
}

/** Returns the canonical text. The creator of the value has bounded its depth. */
export function canonicalText(value: Canonical): string {
  if (typeof value === 'string') return value
  return isList(value) ? listText(value) : objectText(value)
}

function listText(list: readonly Canonical[]): string {
  let text = '['
  for (const value of list) text += text === '[' ? canonicalText(value) : `,${canonicalText(value)}`
  return `${text}]`
}

function objectText({ members }: CanonicalObject): string {
  let text = '{'
  for (const { quoted, value } of members) {
    text += text === '{' ? `${quoted}:${canonicalText(value)}` : `,${quoted}:${canonicalText(value)}`
  }
  return `${text}}`
}

/** Returns the quoted text. The text must not contain lone surrogates, which ECMAScript would escape. */
export function quotedText(text: string): string {
  return JSON.stringify(text)
}

export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  if (a.name === b.name) return 0
  return a.name < b.name ? -1 : 1
}

/** Returns the member with that name, by binary search. */
export function memberNamed({ members }: CanonicalObject, name: string): Member | undefined {
  let [from, to] = [0, members.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    const member = members[middle]
    if (member === undefined || member.name === name) return member
    if (member.name < name) from = middle + 1
    else to = middle
  }
  return undefined
}
