/**
 * Named places where a fault can be forced. In shipped code each is an empty function: the real one is only resolved
 * under `node --conditions=failpoints` (see `imports` in package.json), which tests and drills use.
 */

export type FailpointName =
  | 'commit/one-by-one'
  | 'sqlite/answer-before-commit'
  | 'sqlite/no-unique-index'
  | 'sqlite/no-sync'

/** Whether the fault of that name is switched on. Always false in shipped code. */
export function failpoint(_name: FailpointName): boolean {
  return false
}
