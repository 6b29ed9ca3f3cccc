/** Conditions of a status (`metav1.Condition`), and whether a status has changed. Pure. */

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  /** CamelCase, for programs. */
  readonly reason: string
  /** A sentence, for people. */
  readonly message: string
  readonly observedGeneration: number
  /** When `status` last changed, RFC 3339. */
  readonly lastTransitionTime: string
}

export type Observation = Omit<Condition, 'lastTransitionTime'>

/** Reasons and messages have these limits in the API. */
const MAX_MESSAGE = 32_768

/**
 * Returns the conditions with the observed ones in place, sorted by type. The transition time of a condition moves only
 * when its status changes. Conditions of other types stay.
 */
export function withConditions(
  before: readonly Condition[],
  observed: readonly Observation[],
  wallMs: number,
): readonly Condition[] {
  const conditions = new Map(before.map((condition) => [condition.type, condition]))
  for (const one of observed) {
    const known = conditions.get(one.type)
    const lastTransitionTime =
      known !== undefined && known.status === one.status ? known.lastTransitionTime : secondsOf(wallMs)
    conditions.set(one.type, { ...one, message: one.message.slice(0, MAX_MESSAGE), lastTransitionTime })
  }
  return [...conditions.values()].toSorted((a, b) => (a.type < b.type ? -1 : 1))
}

/** Returns RFC 3339 in whole seconds (`metav1.Time`). */
export function secondsOf(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`
}

/** Returns RFC 3339 with six decimals (`metav1.MicroTime`): the API server refuses three. */
export function microTimeOf(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, -1)}000Z`
}

/** Returns true if both are equal as JSON, in whatever order their members are. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [definedOf(a), definedOf(b)]
  return (
    left.size === right.size &&
    [...left].every(([name, value]) => right.has(name) && isSameJson(value, right.get(name)))
  )
}

/** A member that is undefined is absent in JSON. */
function definedOf(value: object): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(value).filter(([, member]) => member !== undefined))
}
