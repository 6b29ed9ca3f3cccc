/**
 * Encodes arrays in the binary format of Postgres. The driver writes arrays as text with bytes in hexadecimal, which
 * doubles the traffic and costs both sides time. The driver sends a Buffer unchanged, and the server reads it as the
 * type of the parameter. Source of the format: array_recv in the server's src/backend/utils/adt/arrayfuncs.c.
 */

/** Type numbers (pg_type.oid), the same on every server. */
export const BYTEA = 17
const TEXT = 25
const INTEGER = 23

const HEAD_BYTES = 20
const ELEMENT_HEAD_BYTES = 4

/** Returns a value for a parameter of type `bytea[]`. */
export function byteaArray(elements: readonly Uint8Array[]): Buffer {
  return encode(BYTEA, elements)
}

/** Returns a value for a parameter of type `text[]`. */
export function textArray(elements: readonly (string | null)[]): Buffer {
  return encode(
    TEXT,
    elements.map((element) => (element === null ? null : Buffer.from(element))),
  )
}

/** Returns a value for a parameter of type `integer[]`. */
export function integerArray(elements: readonly number[]): Buffer {
  return fixedArray({ type: INTEGER, count: elements.length, bytes: 4 }, (into, index, offset) => {
    into.writeInt32BE(elements[index] ?? 0, offset)
  })
}

export interface FixedElements {
  readonly type: number
  readonly count: number
  /** Length of each element. */
  readonly bytes: number
}

/**
 * Returns an array whose elements have one length. `write` puts each element into the array, so none needs its own
 * Buffer.
 */
export function fixedArray(
  { type, count, bytes }: FixedElements,
  write: (into: Buffer, index: number, offset: number) => void,
): Buffer {
  const into = Buffer.allocUnsafe(count === 0 ? HEAD_BYTES - 8 : HEAD_BYTES + count * (ELEMENT_HEAD_BYTES + bytes))
  let offset = writeHead(into, { type, count, nulls: false })
  for (let index = 0; index < count; index++) {
    offset = into.writeInt32BE(bytes, offset)
    write(into, index, offset)
    offset += bytes
  }
  return into
}

/** Returns the element at `index` of such an array, as a view. */
export function fixedElement(array: Buffer, { bytes }: Pick<FixedElements, 'bytes'>, index: number): Uint8Array {
  const offset = HEAD_BYTES + index * (ELEMENT_HEAD_BYTES + bytes) + ELEMENT_HEAD_BYTES
  return new Uint8Array(array.buffer, array.byteOffset + offset, bytes)
}

interface Head {
  readonly type: number
  readonly count: number
  readonly nulls: boolean
}

function writeHead(into: Buffer, { type, count, nulls }: Head): number {
  let offset = into.writeInt32BE(count === 0 ? 0 : 1, 0)
  offset = into.writeInt32BE(nulls ? 1 : 0, offset)
  offset = into.writeInt32BE(type, offset)
  if (count === 0) return offset
  offset = into.writeInt32BE(count, offset)
  return into.writeInt32BE(1, offset) // subscripts begin at 1
}

function encode(type: number, elements: readonly (Uint8Array | null)[]): Buffer {
  const into = Buffer.allocUnsafe(sizeOf(elements))
  let offset = writeHead(into, { type, count: elements.length, nulls: elements.includes(null) })
  for (const element of elements) {
    offset = into.writeInt32BE(element === null ? -1 : element.length, offset)
    if (element === null) continue
    into.set(element, offset)
    offset += element.length
  }
  return into
}

function sizeOf(elements: readonly (Uint8Array | null)[]): number {
  if (elements.length === 0) return HEAD_BYTES - 8
  let size = HEAD_BYTES
  for (const element of elements) size += ELEMENT_HEAD_BYTES + (element?.length ?? 0)
  return size
}
