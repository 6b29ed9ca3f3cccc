/**
 * The RFC 8785 form of a JSON value: members in the order of their names' UTF-16 code units, numbers and strings as
 * ECMAScript writes them, no space. Only for values without lone surrogates (ECMAScript would escape them).
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** The canonical text. The caller has bounded the depth. */
export function canonicalText(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalText).join(',')}]`
  let members = ''
  for (const name of Object.keys(value).toSorted()) {
    const member = canonicalText(value[name] ?? null)
    members += members === '' ? `${JSON.stringify(name)}:${member}` : `,${JSON.stringify(name)}:${member}`
  }
  return `{${members}}`
}

/**
 * Whether `JSON.stringify` writes the members of all objects in canonical order (it puts integer-like names first, by
 * number), and whether the value is too deep to ask.
 */
export function orderOf(value: Json, maxDepth: number): 'canonical' | 'other' | 'too-deep' {
  if (typeof value !== 'object' || value === null) return 'canonical'
  if (maxDepth === 0) return 'too-deep'
  let order: 'canonical' | 'other' = 'canonical'
  let last: string | undefined
  for (const name of Object.keys(value)) {
    if (!isList(value) && last !== undefined && name < last) order = 'other'
    last = name
  }
  for (const member of isList(value) ? value : Object.values(value)) {
    const inner = orderOf(member, maxDepth - 1)
    if (inner === 'too-deep') return inner
    if (inner === 'other') order = inner
  }
  return order
}

/** `Array.isArray` does not narrow read-only arrays. */
export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
