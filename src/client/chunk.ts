/** Types the chunks of a byte stream, which Node types as `any`, as bytes. */

export function toBuffer(chunk: unknown): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk))
}
