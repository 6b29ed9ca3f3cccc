/**
 * Contents of drills and proofs. A content has several spellings of the same item. The generator knows which bytes
 * belong to which content, so the proof does not depend on the identity rules of the service.
 */
import { createRandom, type Random } from '../../std/random.ts'
import { escapeAll, LETTERS } from '../spelling.ts'

export const JSON_MEDIA = 'application/json'
export const BYTES_MEDIA = 'application/octet-stream'

/** One item in all its spellings. */
export interface Content {
  /** Number of the content. It identifies the content in the proof. */
  readonly number: number
  readonly media: typeof JSON_MEDIA | typeof BYTES_MEDIA
  /** The same item in different bytes. A JSON spelling has no line break. */
  readonly spellings: readonly Buffer[]
}

/** One spelling of a content, as it is sent. */
export interface Entry {
  readonly content: Content
  readonly spelling: number
}

export function createContent(number: number, random: Random): Content {
  if (random.chance(0.1)) return { number, media: BYTES_MEDIA, spellings: [randomBytes(number, random)] }
  return { number, media: JSON_MEDIA, spellings: spellingsOf(number, randomText(random), random) }
}

/**
 * Creates a JSON content of 40 to 160 bytes from a seed and its number alone. A run of millions can create a content
 * again instead of storing it.
 */
export function smallContent(seed: number, number: number): Content {
  const random = createRandom(Math.imul(number, 0x9e3779b1) ^ seed)
  const text = Array.from({ length: random.between(0, 16) }, () => random.pick(LETTERS)).join('')
  return { number, media: JSON_MEDIA, spellings: spellingsOf(number, text, random) }
}

/** Regular expression for JavaScript and Postgres. Its group is the number of a JSON content in any spelling. */
export const NUMBER_PATTERN = '"number": ?([0-9]+)'

function spellingsOf(number: number, text: string, random: Random): readonly Buffer[] {
  const price = random.between(0, 4_000) / 4
  const compact = JSON.stringify({ number, text, price })
  const turned = `{ "price":\t${price.toFixed(2)}, "text" : ${JSON.stringify(text)},"number": ${number}.0e0 }`
  const escaped = `{"text":${escapeAll(text)},"number":${number},"price":${price}}`
  return [compact, turned, escaped].map((one) => Buffer.from(one))
}

/** Returns the bytes of the entry's spelling. Throws an Error if it does not exist. */
export function bytesOf(entry: Entry): Buffer {
  const bytes = entry.content.spellings[entry.spelling]
  if (bytes === undefined) throw new RangeError(`content ${entry.content.number} has no spelling ${entry.spelling}`)
  return bytes
}

function randomText(random: Random): string {
  const length = random.chance(0.03) ? random.between(2_000, 12_000) : random.between(0, 300)
  return Array.from({ length }, () => random.pick(LETTERS)).join('')
}

function randomBytes(number: number, random: Random): Buffer {
  const tail = Uint8Array.from({ length: random.between(0, 400) }, () => random.between(0, 255))
  return Buffer.concat([Buffer.from(`${number}:`), tail])
}
