/**
 * Splits a JSON array into the bytes of its elements. This scan reads only the structure of the outer array. Whether an
 * element is JSON is decided where its id is computed.
 */
import { IngotError } from '../../errors/error.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * Returns the elements as views into `text`. Elements are counted during the scan, and the scan stops at the first one
 * beyond `maxElements`, so at most that many views exist however many elements the body has.
 * Throws IngotError JSON_INVALID with the byte offset if the text is not one array, CONTENT_TOO_LARGE beyond `maxElements`.
 */
export function splitArray(text: Buffer, maxElements: number): Buffer[] {
  const start = skipSpace(text, 0)
  if (text[start] !== OPEN_BRACKET) throw invalid('the body is not a JSON array', start)
  const elements: Buffer[] = []
  let from = start + 1
  for (;;) {
    const end = elementEnd(text, from)
    const closes = text[end] === CLOSE_BRACKET
    const first = skipSpace(text, from)
    if (first < end) {
      if (elements.length >= maxElements) throw tooMany(maxElements)
      elements.push(text.subarray(first, trimmedEnd(text, end)))
    } else if (!closes || elements.length > 0) throw invalid('an element of the array is missing', end)
    from = end + 1
    if (closes) break
  }
  const rest = skipSpace(text, from)
  if (rest < text.length) throw invalid('there is something after the array', rest)
  return elements
}

function tooMany(maxElements: number): IngotError {
  return new IngotError('CONTENT_TOO_LARGE', `the batch has more than ${maxElements} items (maxBatchItems)`, {
    facts: { limit: maxElements },
  })
}

/** Returns the offset of the comma or bracket that ends the element starting at `from`. */
function elementEnd(text: Buffer, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const byte = text[at]
    if (byte === QUOTE) at = stringEnd(text, at)
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) depth++
    else if (depth === 0 && (byte === COMMA || byte === CLOSE_BRACKET)) return at
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--
  }
  throw invalid('the array does not end', text.length)
}

/** Returns the offset of the quote that ends the string starting at `from`. */
function stringEnd(text: Buffer, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === BACKSLASH) at++
    else if (text[at] === QUOTE) return at
  }
  throw invalid('a string does not end', from)
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function skipSpace(text: Buffer, from: number): number {
  let at = from
  while (isSpace(text[at])) at++
  return at
}

/** Returns the end of the element before `end`, without trailing space. The element is not empty. */
function trimmedEnd(text: Buffer, end: number): number {
  let last = end
  while (isSpace(text[last - 1])) last--
  return last
}

function invalid(message: string, position: number): IngotError {
  return new IngotError('JSON_INVALID', `${message} (at byte ${position})`, { facts: { position } })
}
