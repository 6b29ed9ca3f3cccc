/** `ingot id`: computes the id of a content as the service does, without a service. */
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { IngotError } from '../errors/error.ts'
import { identifyingText, itemIdOf } from '../identity/content-id.ts'
import { DEFAULT_POLICY, type IdentityPolicy, parsePolicy } from '../identity/policy.ts'
import { defineCommand, EXIT, type Io, usageError } from './line/command.ts'

/** Nesting depth up to which content is read: the highest that any service accepts. */
const MAX_DEPTH = 1_024

export const id = defineCommand({
  positionals: ['FILE'],
  help: `
Prints the id that the service gives to the content of a file, or of standard input with -. No service is needed. The
content is one JSON value; with --bytes it is any bytes. --policy is the identity policy of the collection, as the API
takes it. The default is {"kind":"json"}.

--canonical prints the text that identifies the content, which is hashed for the id. Content that is identified by its
bytes has none.`,
  examples: [
    'ingot id order.json',
    'ingot id - --policy \'{"kind":"fields","include":["/email"]}\' --json < user.json',
  ],
  options: {
    policy: { type: 'string', value: 'JSON', summary: 'identity policy of the collection' },
    bytes: { type: 'boolean', summary: 'the content was sent as application/octet-stream' },
    canonical: { type: 'boolean', summary: 'the canonical text instead of the id' },
    json: { type: 'boolean', summary: 'id, policy and canonical text as one JSON object' },
  },
  async run({ values, positionals: [file = ''] }, io) {
    const policy = policyOf(values.policy)
    const content = await contentOf(file, io)
    const media = values.bytes || policy.kind === 'bytes' ? 'bytes' : 'json'
    const itemId = itemIdOf(policy, media, content, { maxDepth: MAX_DEPTH })
    const canonical = identifyingText(policy, media, content, { maxDepth: MAX_DEPTH })
    if (values.json) io.stdout.write(`${JSON.stringify({ id: itemId, policy, canonical })}\n`)
    else if (!values.canonical) io.stdout.write(`${itemId}\n`)
    else if (canonical === undefined)
      throw usageError('the content is identified by its bytes: it has no canonical text')
    // exactly the hashed bytes, so that sha256sum gives the digest
    else io.stdout.write(Buffer.from(canonical))
    return EXIT.fine
  },
})

function policyOf(text: string | undefined): IdentityPolicy {
  if (text === undefined) return DEFAULT_POLICY
  try {
    return parsePolicy(JSON.parse(text))
  } catch (thrown) {
    if (thrown instanceof IngotError) throw thrown
    throw usageError('--policy is not JSON, write for example {"kind":"json"}')
  }
}

async function contentOf(file: string, io: Io): Promise<Buffer> {
  if (file === '-') return buffer(io.stdin)
  return readFile(file, { signal: io.signal })
}
