/** Converts ids of the stores: two characters of version, then the digest. */

/** Returns the id of the stored bytes, given in hex, in the form of the responses, such as `j1-<64 hex>`. */
export function idOfHex(hex: string): string {
  return `${Buffer.from(hex.slice(0, 4), 'hex').toString('latin1')}-${hex.slice(4).toLowerCase()}`
}
