/** Errors of requests and of the connections that carry them. */
import { content, type ErrorKinds, passing, rejected } from '../std/error-kind.ts'

export const HTTP_ERRORS = {
  REQUEST_INVALID: rejected(400, 'correct the request as the detail says'),
  IDEMPOTENCY_KEY_INVALID: rejected(400, 'send 1 to 255 visible ASCII characters, and none with NDJSON'),
  TOKEN_MISSING: rejected(401, 'send Authorization: Bearer with a token from the tokens file'),
  TOKEN_REFUSED: rejected(403, 'use a token that has this right on this collection'),
  NOT_FOUND: rejected(404, 'check the path'),
  METHOD_NOT_ALLOWED: rejected(405, 'use a method that the Allow header names'),
  READ_STALLED: passing(408, 'read the response while you send, or send Prefer: return=minimal'),
  BODY_STALLED: passing(408, 'keep sending, or send again'),
  CONTENT_TOO_LARGE: content(413, 'send less at once, or raise the limit that the detail names'),
  MEDIA_TYPE_UNSUPPORTED: rejected(415, 'send application/json, application/x-ndjson or application/octet-stream'),
  HEADERS_TOO_LARGE: rejected(431, 'send fewer or shorter header fields, and a shorter URL'),
  // Only logged and counted: no client is left to read the response. nginx introduced the status.
  CLIENT_GONE: passing(499, 'keep the connection open until the response is complete'),
} as const satisfies ErrorKinds
