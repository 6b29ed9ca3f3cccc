/** Computes the slot of a key, one of 16,384. Source: the Redis Cluster specification, appendix A. */

const SLOTS = 16_384
const POLYNOMIAL = 0x1021

/** Returns the CRC-16/XMODEM. */
function crc16(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ POLYNOMIAL
  }
  return crc & 0xffff
}

/** Returns the part in the first braces if it is not empty, otherwise the complete key. */
export function slotOf(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key)
  const first = key.indexOf('{')
  return crc16(tag?.[1] !== undefined && tag.index === first ? tag[1] : key) % SLOTS
}
