/**
 * Arrays as Postgres sends them in binary. The driver writes arrays as text, bytes in hexadecimal: twice the traffic,
 * and work for both sides. A Buffer it sends as it is, and the server reads it as the parameter's type.
 * Source of the format: array_recv in the server's src/backend/utils/adt/arrayfuncs.c.
 */

/** Type numbers (pg_type.oid), the same on every server. */
const BYTEA = 17
const TEXT = 25

const HEAD_BYTES = 20
const ELEMENT_HEAD_BYTES = 4

/** A value for a parameter of type `bytea[]`. */
export function byteaArray(elements: readonly Uint8Array[]): Buffer {
  return encode(BYTEA, elements)
}

/** A value for a parameter of type `text[]`. */
export function textArray(elements: readonly (string | null)[]): Buffer {
  return encode(
    TEXT,
    elements.map((element) => (element === null ? null : Buffer.from(element))),
  )
}

function encode(type: number, elements: readonly (Uint8Array | null)[]): Buffer {
  const into = Buffer.allocUnsafe(sizeOf(elements))
  let offset = into.writeInt32BE(elements.length === 0 ? 0 : 1, 0)
  offset = into.writeInt32BE(elements.includes(null) ? 1 : 0, offset)
  offset = into.writeInt32BE(type, offset)
  if (elements.length === 0) return into
  offset = into.writeInt32BE(elements.length, offset)
  offset = into.writeInt32BE(1, offset) // subscripts begin at 1
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
