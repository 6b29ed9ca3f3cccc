/** The smallest store that checks fences: one value, and the fence of its last writer. */

export interface FencedRegister {
  /** Returns true if the write was accepted. Refuses and counts a write with a lower fence than an earlier one. */
  write(fence: bigint, value: string): boolean
  readonly value: string
  readonly refusals: number
}

export function createFencedRegister(): FencedRegister {
  let highest = 0n
  let value = ''
  let refusals = 0
  return {
    write(fence, next) {
      if (fence < highest) {
        refusals++
        return false
      }
      highest = fence
      value = next
      return true
    },
    get value() {
      return value
    },
    get refusals() {
      return refusals
    },
  }
}
