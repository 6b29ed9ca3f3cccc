/** Errors of content that has no identity. */
import { content, type ErrorKinds, rejected } from '../std/error-kind.ts'

export const IDENTITY_ERRORS = {
  JSON_INVALID: content(400, 'send well-formed JSON (RFC 8259) in UTF-8'),
  JSON_DUPLICATE_MEMBER: content(400, 'name each member of an object once'),
  JSON_LONE_SURROGATE: content(400, 'send surrogates in pairs, or the character itself'),
  JSON_TOO_DEEP: content(400, 'nest arrays and objects less deeply'),
  NUMBER_PRECISION: content(
    400,
    'send the number as a string, or with the shortest decimal value that denotes its double: 0.1, 1.00 and 1e2 have it, 9007199254740993 and 1152921504606846976 do not',
  ),
  FIELDS_MISSING: content(400, "send an object that has at least one of the collection's identity fields"),
  POLICY_INVALID: rejected(422, 'use a policy from the table in the OpenAPI document'),
} as const satisfies ErrorKinds
