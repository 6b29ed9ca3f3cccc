/** What every fence store does. `make` opens the same store each time it is called, as another process would. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Absent, present } from '../../testing/present.ts'
import type { FenceStore } from '../fence-store.ts'
import { newToken } from '../token.ts'

export interface FenceSubject extends AsyncDisposable {
  readonly open: () => Promise<FenceStore>
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

export function fenceStoreContract(name: string, make: () => Promise<FenceSubject | Absent>): void {
  describe(`fence store contract: ${name}`, () => {
    let subject: FenceSubject | Absent = { absent: 'not started' }
    beforeAll(async () => {
      subject = await make()
    })
    afterAll(async () => {
      if (!('absent' in subject)) await subject[Symbol.asyncDispose]()
    })

    const check = (title: string, body: (open: () => Promise<FenceStore>) => Promise<void>): void => {
      test(title, async ({ skip }) => {
        const { open } = present(subject, skip)
        await body(open)
      })
    }

    check('an identity keeps its epoch, a new one gets a greater one', async (open) => {
      await using store = await open()
      const [a, b] = [newToken(), newToken()]
      const first = await store.epochOf(a, soon())
      expect(first >= 1n).toBe(true)
      const second = await store.epochOf(b, soon())
      expect(second).toBeGreaterThan(first)
      expect(await store.epochOf(a, soon())).toBe(first)
      expect(await store.epochOf(newToken(), soon())).toBeGreaterThan(second)
    })

    check('a known identity uses up no epoch', async (open) => {
      await using store = await open()
      const known = newToken()
      const epoch = await store.epochOf(known, soon())
      for (let i = 0; i < 10; i++) await store.epochOf(known, soon())
      expect(await store.epochOf(newToken(), soon())).toBe(epoch + 1n)
    })

    check('two that bring the same new identity at once get the same epoch', async (open) => {
      await using one = await open()
      await using two = await open()
      for (let i = 0; i < 10; i++) {
        const identity = newToken()
        const epochs = await Promise.all([one, two, one, two].map((store) => store.epochOf(identity, soon())))
        expect(new Set(epochs).size).toBe(1)
      }
    })

    check('fences of a key rise, whoever takes them, also at once', async (open) => {
      await using one = await open()
      await using two = await open()
      let last = 0n
      for (let i = 0; i < 10; i++) {
        const fence = await (i % 2 === 0 ? one : two).nextFence('k', soon())
        expect(fence).toBeGreaterThan(last)
        last = fence
      }
      const many = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? one : two).nextFence('k', soon())))
      expect(new Set(many).size).toBe(40)
      expect(many.every((fence) => fence > last)).toBe(true)
    })

    check('numbers outlive the one that gave them', async (open) => {
      const identity = newToken()
      const first = await open()
      const [epoch, fence] = [await first.epochOf(identity, soon()), await first.nextFence('k', soon())]
      await first[Symbol.asyncDispose]()
      await using second = await open()
      expect(await second.epochOf(identity, soon())).toBe(epoch)
      expect(await second.nextFence('k', soon())).toBeGreaterThan(fence)
    })

    check('a call whose signal has aborted rejects with its reason', async (open) => {
      await using store = await open()
      await expect(store.nextFence('k', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
      await expect(store.epochOf('i', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    })
  })
}
