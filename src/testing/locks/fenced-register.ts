/** The smallest store that checks fences: one value, and the fence of whoever wrote it last. */

export interface FencedRegister {
  /** Whether the write was taken. One with a lower fence than an earlier write is refused, and counted. */
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
