/** Options as callers give them: a property that is `undefined` counts as absent. */

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Removes the properties whose value is `undefined`, so that a spread of the rest leaves defaults in force. */
export function defined<T extends object>(given: T): Defined<T> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the entries that are left are those of T
  return Object.fromEntries(entries) as Defined<T>
}
