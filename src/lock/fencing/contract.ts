/** The contract suite of fence stores. Each call of `make` opens the same store, like another process. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Absent, present } from '../../testing/present.ts'
import { newToken } from '../token.ts'
import type { FenceStore } from './fence-store.ts'

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

    check('an identity keeps its epoch, and a new one gets a greater epoch', async (open) => {
      await using store = await open()
      const [a, b] = [newToken(), newToken()]
      const first = await store.epochOf(a, soon())
      expect(first >= 1n).toBe(true)
      const second = await store.epochOf(b, soon())
      expect(second).toBeGreaterThan(first)
      expect(await store.epochOf(a, soon())).toBe(first)
      expect(await store.epochOf(newToken(), soon())).toBeGreaterThan(second)
    })

    check('a known identity consumes no epoch', async (open) => {
      await using store = await open()
      const known = newToken()
      const epoch = await store.epochOf(known, soon())
      for (let i = 0; i < 10; i++) await store.epochOf(known, soon())
      expect(await store.epochOf(newToken(), soon())).toBe(epoch + 1n)
    })

    check('two callers with the same new identity get the same epoch', async (open) => {
      await using one = await open()
      await using two = await open()
      for (let i = 0; i < 10; i++) {
        const identity = newToken()
        const epochs = await Promise.all([one, two, one, two].map((store) => store.epochOf(identity, soon())))
        expect(new Set(epochs).size).toBe(1)
      }
    })

    check('fences of a key rise, whichever process requests them, also concurrently', async (open) => {
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

    const all = '1111'
    const term = (owner: string, line: string, members = all, above = 0n) => ({
      owner,
      above,
      parts: [{ line, members }],
    })

    check('a server that takes a term again keeps its epoch, and another server gets a greater one', async (open) => {
      await using store = await open()
      const [line, a, b] = [newToken(), newToken(), newToken()]
      const first = await store.takeTerm(term(a, line), soon())
      expect(await store.takeTerm(term(a, line), soon())).toBe(first)
      const second = await store.takeTerm(term(b, line), soon())
      expect(second).toBe(first + 1n)
      // the first server returns, and its epoch is no longer great enough
      const third = await store.takeTerm(term(a, line), soon())
      expect(third).toBe(second + 1n)
      expect(await store.takeTerm(term(a, line), soon())).toBe(third)
    })

    check('terms name the last server that took an epoch for each counter', async (open) => {
      await using store = await open()
      const [line, other, a, b] = [newToken(), newToken(), newToken(), newToken()]
      expect(await store.termsOf([line, other], soon())).toEqual([])
      const first = await store.takeTerm(term(a, line), soon())
      const second = await store.takeTerm(term(b, line, '0011'), soon())
      const seen = await store.termsOf([line, other], soon())
      const short = seen.map(({ members, ...rest }) => ({ ...rest, members: members.slice(0, 4) }))
      expect(short.toSorted((x, y) => Number(x.epoch - y.epoch))).toEqual([
        { line, epoch: first, owner: a, members: '1100' },
        { line, epoch: second, owner: b, members: '0011' },
      ])
      await store.takeTerm(term(b, line), soon())
      expect(await store.termsOf([line], soon())).toHaveLength(1)
    })

    check('servers with separate counters do not take epochs from each other', async (open) => {
      await using store = await open()
      const [line, x, y] = [newToken(), newToken(), newToken()]
      const ofX = await store.takeTerm(term(x, line, '1100'), soon())
      const ofY = await store.takeTerm(term(y, line, '0011'), soon())
      for (let i = 0; i < 3; i++) {
        expect(await store.takeTerm(term(x, line, '1100'), soon())).toBe(ofX)
        expect(await store.takeTerm(term(y, line, '0011'), soon())).toBe(ofY)
      }
      const lone = await store.takeTerm(term(x, newToken()), soon())
      expect(lone).toBe(ofY + 1n)
      expect(await store.takeTerm(term(y, line, '0011'), soon())).toBe(ofY)
    })

    check('a counter from a lesser epoch needs no new epoch, and one from a greater epoch does', async (open) => {
      await using store = await open()
      const [line, x, y] = [newToken(), newToken(), newToken()]
      const ofX = await store.takeTerm(term(x, line, '1100'), soon())
      const ofY = await store.takeTerm(term(y, line, '0011'), soon())
      expect(await store.takeTerm(term(y, line, '0111'), soon())).toBe(ofY)
      const back = await store.takeTerm(term(x, line, '1100'), soon())
      expect(back).toBe(ofY + 1n)
      expect(back).toBeGreaterThan(ofX)
      expect(await store.takeTerm(term(y, line, '0011'), soon())).toBe(ofY)
    })

    check('an epoch is greater than the one that the server has seen', async (open) => {
      await using store = await open()
      const [line, a] = [newToken(), newToken()]
      const first = await store.takeTerm(term(a, line), soon())
      expect(await store.takeTerm(term(a, line, all, first - 1n), soon())).toBe(first)
      const second = await store.takeTerm(term(a, line, all, first), soon())
      expect(second).toBe(first + 1n)
      const seen = second + 100n
      expect(await store.takeTerm(term(a, line, all, seen), soon())).toBeGreaterThan(seen)
      const last = await store.takeTerm(term(a, line, all, seen), soon())
      expect(await store.epochOf(newToken(), soon())).toBeGreaterThan(last)
    })

    check('a mark gets one epoch, greater than all earlier ones', async (open) => {
      await using store = await open()
      const [line, a, mark] = [newToken(), newToken(), newToken()]
      const first = await store.takeTerm(term(a, line, '1110'), soon())
      const marked = await store.takeTerm({ ...term(a, line, '0011'), mark }, soon())
      expect(marked).toBe(first + 1n)
      expect(await store.takeTerm({ ...term(a, line, '0011'), mark }, soon())).toBe(marked)
      expect(await store.takeTerm({ ...term(a, line, '0100'), mark }, soon())).toBe(marked)
      expect(await store.takeTerm(term(a, line), soon())).toBe(marked)
      // a mark that is found again later must not undo later terms
      const later = await store.takeTerm(term(newToken(), line), soon())
      expect(await store.takeTerm({ ...term(a, line), mark }, soon())).toBe(marked)
      expect((await store.termsOf([line], soon())).map(({ epoch }) => epoch)).toEqual([later])
    })

    check('concurrent callers with the same term consume one epoch', async (open) => {
      await using one = await open()
      await using two = await open()
      const line = newToken()
      let last = await one.takeTerm(term(newToken(), line), soon())
      for (let i = 0; i < 10; i++) {
        const owner = newToken()
        const stores = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? one : two))
        const epochs = await Promise.all(stores.map((store) => store.takeTerm(term(owner, line), soon())))
        expect(epochs).toEqual(epochs.map(() => last + 1n))
        last += 1n
      }
    })

    check('a term over several lines has one epoch', async (open) => {
      await using store = await open()
      const [a, b, mine, yours] = [newToken(), newToken(), newToken(), newToken()]
      const both = [
        { line: a, members: all },
        { line: b, members: all },
      ]
      const first = await store.takeTerm({ owner: mine, above: 0n, parts: both }, soon())
      expect(await store.takeTerm(term(mine, b), soon())).toBe(first)
      expect(await store.takeTerm({ owner: yours, above: 0n, parts: both }, soon())).toBe(first + 1n)
    })

    check('numbers outlive the process that took them', async (open) => {
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
