/** Reads fields of objects of the API, whose shapes are not checked: a field of another type counts as absent. Pure. */

type Path = readonly (string | number)[]

/** Returns the value at the path, or undefined. */
export function at(value: unknown, ...path: Path): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Object.hasOwn(here, step) ? Reflect.get(here, step) : undefined
  }
  return here
}

/** Returns the text at the path, or an empty one. */
export function textAt(value: unknown, ...path: Path): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

export function numberAt(value: unknown, ...path: Path): number | undefined {
  const found = at(value, ...path)
  return typeof found === 'number' ? found : undefined
}

/** Returns true only for `true`. */
export function isTrueAt(value: unknown, ...path: Path): boolean {
  return at(value, ...path) === true
}

/** Returns the list at the path, or an empty one. */
export function listAt(value: unknown, ...path: Path): readonly unknown[] {
  const found: unknown = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** Returns the texts of the object at the path by name. Values of other types are left out. */
export function textsAt(value: unknown, ...path: Path): Readonly<Record<string, string>> {
  const found = at(value, ...path)
  if (typeof found !== 'object' || found === null) return {}
  return Object.fromEntries(Object.entries(found).filter(([, one]) => typeof one === 'string'))
}

/** Returns the milliseconds of a time in RFC 3339, or undefined. */
export function timeAt(value: unknown, ...path: Path): number | undefined {
  const ms = Date.parse(textAt(value, ...path))
  return Number.isNaN(ms) ? undefined : ms
}
