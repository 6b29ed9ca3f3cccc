import { expect, test } from 'vitest'
import { item } from '../../contract.ts'
import { createMemoryStore } from './store.ts'

test('refuses an item whose bytes were changed in memory', async () => {
  const store = createMemoryStore()
  const one = item({ n: 1 })
  await store.put([{ collection: { name: 'things', policy: { kind: 'json' } }, items: [one] }], 1)
  const kept = await store.get('things', one.id)
  // the returned content is the stored one
  kept?.content.set([0x20], 1)
  await expect(store.get('things', one.id)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await expect(store.list('things', { limit: 10 })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
})
