/** Options as callers pass them: a property with the value `undefined` counts as absent. */

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Returns a copy without the properties that are `undefined`, so that spreading it does not override defaults. */
export function defined<T extends object>(given: T): Defined<T> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the remaining entries are those of T
  return Object.fromEntries(entries) as Defined<T>
}
