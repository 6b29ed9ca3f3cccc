/** Reports as objects of an S3-compatible bucket. The one home of aws4fetch, which signs requests (AWS Signature 4). */
import { createHash } from 'node:crypto'
import { AwsClient } from 'aws4fetch'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import type { Clock } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import { type Backoff, fullJitter, retry } from '../../../std/retry.ts'
import { createBlobReportStore } from './blobs.ts'
import type { ReportStore } from './store.ts'

export interface BucketOptions {
  /** Address with the bucket, and with a prefix if wanted: `https://s3.eu-central-1.amazonaws.com/drills/shop`. */
  readonly url: string
  /** Default: us-east-1, which most servers other than AWS accept. */
  readonly region?: string | undefined
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly clock: Clock
  /** Time for one request, in milliseconds. Default: 20000. */
  readonly requestMs?: number
  /** Pauses between attempts. Default: 4 with full jitter, from 250 ms to 5000 ms. */
  readonly backoff?: Backoff
}

const REQUEST_MS = 20_000
const BACKOFF: Backoff = { baseMs: 250, maxMs: 5_000, attempts: 4 }
/** A response that is longer is no report of ours. */
const MAX_BYTES = 64 * 1_024 * 1_024

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html',
  json: 'application/json',
  md: 'text/markdown',
  xml: 'application/xml',
}

/** Returns a store in this bucket. Throws REPORT_STORE_REFUSED for an address without a bucket. */
export function createBucketReportStore(options: BucketOptions): ReportStore {
  const root = rootOf(options.url)
  const { region = 'us-east-1', accessKeyId, secretAccessKey } = options
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 })
  const addressOf = (key: string): string => `${root}/${key}`

  async function send(method: 'GET' | 'PUT', key: string, signal: AbortSignal, text?: string): Promise<Reply> {
    const request = await client.sign(addressOf(key), {
      method,
      redirect: 'manual',
      // the signature covers the content, so a proxy cannot change it
      headers: { 'x-amz-content-sha256': digestOf(text ?? ''), ...(text === undefined ? {} : typeOf(key)) },
      ...(text === undefined ? {} : { body: text }),
    })
    return within(options, `${method} ${addressOf(key)}`, signal, async (deadline) => {
      const response = await fetch(request, { signal: deadline })
      return { status: response.status, body: await bodyOf(response) }
    })
  }

  function retried(method: 'GET' | 'PUT', key: string, signal: AbortSignal, text?: string): Promise<Reply> {
    const attempt = async (): Promise<Reply> => {
      const reply = await send(method, key, signal, text)
      if (reply.status < 300 || (method === 'GET' && isMissing(reply))) return reply
      throw refusal(`${method} ${addressOf(key)}`, reply)
    }
    const { clock, backoff = BACKOFF } = options
    return retry(attempt, { delays: fullJitter(backoff), clock, signal, retryable: isPassing })
  }

  return createBlobReportStore({
    addressOf,
    put: async (key, text, signal) => void (await retried('PUT', key, signal, text)),
    async get(key, signal) {
      const { status, body } = await retried('GET', key, signal)
      return status === 404 ? undefined : body
    },
  })
}

const isPassing = (thrown: unknown): boolean =>
  thrown instanceof IngotError && thrown.code === 'REPORT_STORE_UNAVAILABLE'

interface Reply {
  readonly status: number
  readonly body: string
}

/** A missing bucket has the same status as a missing object. */
const isMissing = ({ status, body }: Reply): boolean => status === 404 && !body.includes('NoSuchBucket')

function rootOf(url: string): string {
  const parsed = URL.parse(url)
  if (parsed !== null && namesBucket(parsed)) return `${parsed.origin}${pathOf(parsed)}`
  const shown = parsed === null ? 'no URL' : `${parsed.protocol}//${parsed.host}${parsed.pathname}`
  const form = 'https://HOST/BUCKET or https://HOST/BUCKET/PREFIX, without credentials and query'
  throw new IngotError('REPORT_STORE_REFUSED', `the address of the bucket is ${shown}, write ${form}`)
}

/** A bucket is the first folder of the path, or the first label of the host. */
function namesBucket(url: URL): boolean {
  const isPlain = /^https?:$/.test(url.protocol) && url.username === '' && url.search === ''
  return isPlain && (pathOf(url) !== '' || url.hostname.split('.').length > 2)
}

const pathOf = ({ pathname }: URL): string => pathname.replace(/\/+$/, '')

function typeOf(key: string): { 'content-type': string } {
  const type = TYPES[key.slice(key.lastIndexOf('.') + 1)] ?? 'text/plain'
  return { 'content-type': `${type}; charset=utf-8` }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

async function within<T>(
  { clock, requestMs = REQUEST_MS }: BucketOptions,
  what: string,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeoutError = (): Error => unavailable(`${what}: no response within ${requestMs} ms`)
  using deadline = createDeadline({ clock, ms: requestMs, parent, timeoutError })
  try {
    return await work(deadline.signal)
  } catch (cause) {
    deadline.signal.throwIfAborted()
    if (cause instanceof IngotError) throw cause
    throw unavailable(`${what}: ${reasonOf(cause)}`, cause)
  }
}

const NO_PARTS: AsyncIterable<unknown> | Iterable<unknown> = []

async function bodyOf({ body }: Response): Promise<string> {
  const chunks: AsyncIterable<unknown> | Iterable<unknown> = body ?? NO_PARTS
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of chunks) {
    if (!(part instanceof Uint8Array)) continue
    bytes += part.length
    if (bytes > MAX_BYTES) throw new IngotError('REPORT_DAMAGED', `the response is longer than ${MAX_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

/** Responses after which the same request may succeed. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

function refusal(what: string, { status, body }: Reply): IngotError {
  const [, code = ''] = /<Code>([^<]{1,100})<\/Code>/.exec(body) ?? []
  const hint = status >= 300 && status < 400 ? ' (a redirect: check the region and the address)' : ''
  const message = `${what}: ${status} ${code}${hint}`.trim()
  return PASSING.has(status) ? unavailable(message) : new IngotError('REPORT_STORE_REFUSED', message)
}

function unavailable(message: string, cause?: unknown): IngotError {
  return new IngotError('REPORT_STORE_UNAVAILABLE', message, { cause })
}
