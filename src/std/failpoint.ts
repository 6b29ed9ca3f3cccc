/**
 * Named points at which tests inject failures. In shipped code these functions do nothing: the real ones are resolved
 * only under `node --conditions=failpoints` (see `imports` in package.json), which tests and drills use.
 */

export type FailpointName =
  | 'before-commit'
  | 'after-commit'
  | 'before-answer'
  | 'before-release'
  | 'cache/ignore-deletes'
  | 'cache/ignore-epoch'
  | 'cache/write-before-commit'
  | 'commit/answer-before-commit'
  | 'commit/one-by-one'
  | 'lock/answer-before-save'
  | 'lock/fence-only-save'
  | 'lock/ignore-fence'
  | 'lock/none'
  | 'lock/release-any-owner'
  | 'lock/time-out-is-failure'
  | 'redlock/count-every-vote'
  | 'sqlite/answer-before-commit'
  | 'sqlite/no-unique-index'
  | 'sqlite/no-sync'
  | 'store/serve-damaged'

/**
 * Values that an injected failure replaces by a wrong variant, with their types. The wrong variants are in
 * `src/testing`.
 */
export interface Replaceable {
  /** The Lua text of the Redis lock's release script. */
  readonly 'lock/release-any-owner': string
}

/** Returns the value. If a test has switched on the failure of that name, returns a wrong variant instead. */
export function replaceable<N extends keyof Replaceable>(_name: N, value: Replaceable[N]): Replaceable[N] {
  return value
}

/** A part of the service that tests can replace by a mutant. The mutants are in src/testing/mutants.ts. */
export type MutablePart = 'cached-store' | 'group-commit' | 'locked-store' | 'sqlite-store'

/** Returns `part`. Under the condition, returns it with the mutants that are switched on. */
export function orMutant<T>(_name: MutablePart, part: T): T {
  return part
}

/** Returns true if the failure of that name is switched on. Always false in shipped code. */
export function failpoint(_name: FailpointName): boolean {
  return false
}
