/**
 * The elements of a JSON array as the bytes they came in. Only the structure of the array itself is read here;
 * whether an element is JSON is found out where it is identified.
 */
import { Fault } from '../std/fault.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** Throws Fault JSON_INVALID, with the byte offset, when the text is not one array. */
export function splitArray(text: Buffer): Buffer[] {
  const start = skipSpace(text, 0)
  if (text[start] !== OPEN_BRACKET) throw invalid('the body is not a JSON array', start)
  const elements: Buffer[] = []
  let from = start + 1
  for (;;) {
    const end = elementEnd(text, from)
    const element = trim(text.subarray(from, end))
    const closes = text[end] === CLOSE_BRACKET
    if (element.length > 0) elements.push(element)
    else if (!closes || elements.length > 0) throw invalid('an element of the array is missing', end)
    from = end + 1
    if (closes) break
  }
  const rest = skipSpace(text, from)
  if (rest < text.length) throw invalid('there is something after the array', rest)
  return elements
}

/** Offset of the comma or bracket that ends the element beginning at `from`. */
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

/** Offset of the quote that ends the string beginning at `from`. */
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

function trim(bytes: Buffer): Buffer {
  let end = bytes.length
  while (end > 0 && isSpace(bytes[end - 1])) end--
  return bytes.subarray(skipSpace(bytes, 0), end)
}

function invalid(message: string, position: number): Fault {
  return new Fault('JSON_INVALID', `${message} (at byte ${position})`, { facts: { position } })
}
