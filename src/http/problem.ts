/** Faults as RFC 9457 problem bodies. Status and remedy stand in the one table, std/fault.ts. */
import { FAULTS, Fault, toFault } from '../std/fault.ts'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** What a client is told to wait for when it may try again, seconds. */
export const RETRY_AFTER_S = 1

export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface ProblemContext {
  readonly traceId: string
  /** Most bytes that the route takes, named when there were more. */
  readonly bodyLimit: number
}

export function problemOf(thrown: unknown, { traceId, bodyLimit }: ProblemContext): Problem {
  const fault = fromFramework(thrown, bodyLimit) ?? toFault(thrown)
  const { status, remedy, retryable } = FAULTS[fault.code]
  // what went wrong inside is for the log: its words may hold anything
  const detail = fault.code === 'INTERNAL' ? 'something unexpected failed' : fault.message
  const body = {
    type: `urn:ingot:fault:${fault.code}`,
    title: remedy,
    status,
    code: fault.code,
    detail,
    ...fault.facts,
    traceId,
  }
  const headers: Record<string, string> = { 'content-type': PROBLEM_MEDIA_TYPE }
  if (retryable) headers['retry-after'] = String(RETRY_AFTER_S)
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="ingot"'
  return { status, headers, body: JSON.stringify(body) }
}

/** What fastify itself refuses, by its code. Source: fastify's table of FST_ERR codes. */
function fromFramework(thrown: unknown, bodyLimit: number): Fault | undefined {
  if (!(thrown instanceof Error) || thrown instanceof Fault || !('code' in thrown)) return undefined
  switch (thrown.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Fault('CONTENT_TOO_LARGE', `the body has more than ${bodyLimit} bytes`, {
        cause: thrown,
        facts: { limit: bodyLimit },
      })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return new Fault('MEDIA_TYPE_UNSUPPORTED', 'the media type of the body is not taken here', { cause: thrown })
    case 'FST_ERR_BAD_URL':
      return new Fault('REQUEST_INVALID', 'the path is not a well-formed URL path', { cause: thrown })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Fault('REQUEST_INVALID', 'the body is not as long as Content-Length says', { cause: thrown })
    case 'FST_ERR_VALIDATION':
      return isOfPath(thrown)
        ? new Fault('COLLECTION_NAME_INVALID', 'the name of the collection is not of the form', { cause: thrown })
        : new Fault('REQUEST_INVALID', thrown.message, { cause: thrown })
    default:
      return undefined
  }
}

function isOfPath(failure: Error): boolean {
  return 'validationContext' in failure && failure.validationContext === 'params'
}
