/** What a byte stream yields is typed as anything: here it becomes bytes. */

export function toBuffer(chunk: unknown): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk))
}
