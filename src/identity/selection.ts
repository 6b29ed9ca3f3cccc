/**
 * The part of an item that a policy of chosen fields looks at. Pointers have been parsed by `parsePolicy`, none lies
 * within another, so selecting them one by one cannot interfere.
 */
import { isList, type Json } from './canonical.ts'
import { type Path, parsePointer, stepIndex } from './pointer.ts'

/** The values at the pointers, by pointer; a place that does not exist has no member. `null` is a value. */
export function included(value: Json, pointers: readonly string[]): ReadonlyMap<string, Json> {
  const found = new Map<string, Json>()
  for (const pointer of pointers) {
    const at = valueAt(value, parsePointer(pointer) ?? [])
    if (at !== undefined) found.set(pointer, at)
  }
  return found
}

/** The value without what is at the pointers. Elements behind a removed one move up. */
export function excluded(value: Json, pointers: readonly string[]): Json {
  return without(
    value,
    pointers.map((pointer) => parsePointer(pointer) ?? []),
    0,
  )
}

function valueAt(value: Json, path: Path): Json | undefined {
  let at: Json | undefined = value
  for (const step of path) at = at === undefined ? undefined : child(at, step)
  return at
}

function child(value: Json, step: string): Json | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (!isList(value)) return Object.hasOwn(value, step) ? value[step] : undefined
  const index = stepIndex(step)
  return index === undefined ? undefined : value[index]
}

/** `paths` are those that lead through `value`, which is `depth` steps down. */
function without(value: Json, paths: readonly Path[], depth: number): Json {
  if (typeof value !== 'object' || value === null || paths.length === 0) return value
  const kept = (step: string, member: Json): Json | undefined => {
    const through = paths.filter((path) => path[depth] === step)
    return through.some((path) => path.length === depth + 1) ? undefined : without(member, through, depth + 1)
  }
  if (isList(value))
    return value.map((member, index) => kept(String(index), member)).filter((member) => member !== undefined)
  const members = Object.entries(value).map(([name, member]) => [name, kept(name, member)] as const)
  return Object.fromEntries(members.filter(isKept))
}

function isKept(member: readonly [string, Json | undefined]): member is readonly [string, Json] {
  return member[1] !== undefined
}
