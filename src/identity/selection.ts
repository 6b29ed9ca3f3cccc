/**
 * Selects the part of an item that a policy of kind `fields` identifies. `parsePolicy` has ensured that no pointer is
 * within another, so selecting by one pointer cannot affect the next.
 */
import { byName, type Canonical, type CanonicalObject, isList, memberNamed, quotedText } from './canonical.ts'
import { type Path, parsePointer, stepIndex } from './pointer.ts'

/**
 * Returns an object with the values at the pointers, by pointer. A missing location has no member; `null` is a value.
 */
export function included(value: Canonical, pointers: readonly string[]): CanonicalObject {
  const members = pointers.flatMap((pointer) => {
    const found = valueAt(value, parsePointer(pointer) ?? [])
    return found === undefined ? [] : [{ name: pointer, quoted: quotedText(pointer), value: found }]
  })
  return { members: members.toSorted(byName) }
}

/** Returns the value without the parts at the pointers. Elements after a removed one move up. */
export function excluded(value: Canonical, pointers: readonly string[]): Canonical {
  const paths = pointers.map((pointer) => parsePointer(pointer) ?? [])
  return without(value, paths, 0)
}

function valueAt(value: Canonical, path: Path): Canonical | undefined {
  let at: Canonical | undefined = value
  for (const step of path) at = at === undefined ? undefined : child(at, step)
  return at
}

function child(value: Canonical, step: string): Canonical | undefined {
  if (typeof value === 'string') return undefined
  if (!isList(value)) return memberNamed(value, step)?.value
  const index = stepIndex(step)
  return index === undefined ? undefined : value[index]
}

/** `paths` are those that lead through `value`, which is at depth `depth`. */
function without(value: Canonical, paths: readonly Path[], depth: number): Canonical {
  if (typeof value === 'string' || paths.length === 0) return value
  const kept = (step: string, inner: Canonical): Canonical | undefined => {
    const through = paths.filter((path) => path[depth] === step)
    return through.some((path) => path.length === depth + 1) ? undefined : without(inner, through, depth + 1)
  }
  if (isList(value)) return value.flatMap((inner, index) => wrapped(kept(String(index), inner)))
  const members = value.members.flatMap((member) =>
    wrapped(kept(member.name, member.value)).map((inner) => ({ ...member, value: inner })),
  )
  return { members }
}

/** Returns a list for `flatMap`, empty for a removed value. */
function wrapped(value: Canonical | undefined): Canonical[] {
  return value === undefined ? [] : [value]
}
