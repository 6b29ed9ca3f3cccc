/** Turns errors into problem bodies (RFC 9457). Status and remedy come from the error codes, see errors/codes.ts. */
import { ERRORS, type ErrorCode, IngotError, toIngotError } from '../errors/error.ts'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** Value of Retry-After in responses to requests that may succeed later, in seconds. */
export const RETRY_AFTER_S = 1

export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface ProblemContext {
  readonly traceId: string
  /** Maximum bytes of a body on this route. Named in the response to a larger body. */
  readonly bodyLimit: number
}

export function problemOf(thrown: unknown, { traceId, bodyLimit }: ProblemContext): Problem {
  const error = fromFramework(thrown, bodyLimit) ?? toIngotError(thrown)
  const { status, remedy, retryable } = ERRORS[error.code]
  // details of an internal failure go only into the log: they may contain anything
  const detail = error.code === 'INTERNAL' ? 'something unexpected failed' : error.message
  const body = {
    type: `urn:ingot:fault:${error.code}`,
    title: remedy,
    status,
    code: error.code,
    detail,
    ...error.facts,
    traceId,
  }
  const headers: Record<string, string> = { 'content-type': PROBLEM_MEDIA_TYPE }
  if (retryable) headers['retry-after'] = String(RETRY_AFTER_S)
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="ingot"'
  return { status, headers, body: JSON.stringify(body) }
}

/**
 * Returns the error for a refusal by the framework, or undefined if the framework did not raise it. Source: fastify's
 * table of FST_ERR codes.
 */
function fromFramework(thrown: unknown, bodyLimit: number): IngotError | undefined {
  if (!(thrown instanceof Error) || thrown instanceof IngotError || !('code' in thrown)) return undefined
  const { code } = thrown
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const facts = { limit: bodyLimit }
    return new IngotError('CONTENT_TOO_LARGE', `the body has more than ${bodyLimit} bytes`, { cause: thrown, facts })
  }
  const known = FRAMEWORK_FAULTS.get(String(code))
  if (known !== undefined) return new IngotError(...known, { cause: thrown })
  if (code === 'FST_ERR_VALIDATION' && isOfPath(thrown)) {
    return new IngotError('COLLECTION_NAME_INVALID', 'the name of the collection is not of the form', { cause: thrown })
  }
  if (!isClientError(thrown)) return undefined
  const message = thrown.message.startsWith('querystring/limit ') ? LIMIT_SENTENCE : thrown.message
  return new IngotError('REQUEST_INVALID', message, { cause: thrown })
}

const LIMIT_SENTENCE =
  'limit takes a whole number from 1 to 1000; the cursor `next` of a page leads to the following one, and Accept: application/x-ndjson gives all items'

const UNKNOWN_MEDIA = ['MEDIA_TYPE_UNSUPPORTED', 'the media type of the body is not taken here'] as const

const FRAMEWORK_FAULTS = new Map<string, readonly [ErrorCode, string]>([
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', UNKNOWN_MEDIA],
  ['FST_ERR_CTP_EMPTY_TYPE', UNKNOWN_MEDIA],
  ['FST_ERR_ROUTE_MISSING_CONTENT_TYPE', UNKNOWN_MEDIA],
  ['FST_ERR_BAD_URL', ['REQUEST_INVALID', 'the path is not a well-formed URL path']],
  ['FST_ERR_MAX_PARAM_LENGTH', ['NOT_FOUND', 'a segment of the path is too long']],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', ['REQUEST_INVALID', 'the body is not as long as Content-Length says']],
])

/** Returns true for any other error of the framework with a client error status. */
function isClientError(failure: Error & { readonly code: unknown }): boolean {
  if (!String(failure.code).startsWith('FST_') || !('statusCode' in failure)) return false
  const status = Number(failure.statusCode)
  return status >= 400 && status < 500
}

function isOfPath(failure: Error): boolean {
  return 'validationContext' in failure && failure.validationContext === 'params'
}
