/** Ids as the stores keep them: two characters of version, then the digest. */

/** Hex of the kept bytes to the id as it is answered, such as `j1-<64 hex>`. */
export function idOfHex(hex: string): string {
  return `${Buffer.from(hex.slice(0, 4), 'hex').toString('latin1')}-${hex.slice(4).toLowerCase()}`
}
