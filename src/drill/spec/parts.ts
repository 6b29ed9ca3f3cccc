/** Parts that several schemas of drills have. */
import { Type } from 'typebox'

/** A rule in CEL, with the sentence that a user reads who breaks it. */
export interface Rule {
  readonly rule: string
  readonly message: string
}

export const rules = (...list: readonly Rule[]) => ({ 'x-kubernetes-validations': list })

/** A duration from 0 to an hour, such as `700ms`, `30s` or `5m`. */
export const duration = (description: string, more: object = {}) =>
  Type.String({
    description,
    maxLength: 16,
    ...rules({
      rule: "self.matches('^[0-9]+(ms|s|m)$') && duration(self) <= duration('1h')",
      message: 'write a duration up to an hour, such as 700ms, 30s or 5m',
    }),
    ...more,
  })

export const label = (description: string, more: object = {}) =>
  Type.String({ description, minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', ...more })
