/** Which of the 16,384 slots of Redis Cluster a key belongs to. Source: the Redis Cluster specification, appendix A. */

const SLOTS = 16_384
const POLYNOMIAL = 0x1021

/** CRC-16/XMODEM. */
function crc16(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ POLYNOMIAL
  }
  return crc & 0xffff
}

/** The part in the first braces when there is one and it is not empty, else the whole key. */
export function slotOf(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key)
  const first = key.indexOf('{')
  return crc16(tag?.[1] !== undefined && tag.index === first ? tag[1] : key) % SLOTS
}
