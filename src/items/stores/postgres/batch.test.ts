import { expect, test } from 'vitest'
import { DEFAULT_POLICY } from '../../../identity/policy.ts'
import { integerArray } from '../../../postgres/binary-array.ts'
import { damageItemOf } from '../../../testing/damage/contract.ts'
import { createItemChecksum } from '../../checksum.ts'
import { itemKey } from '../../item-key.ts'
import { createBatch } from './batch.ts'

test('sends the checksum of each selected row, computed for its own collection', () => {
  const bolts = { name: 'bolts', policy: DEFAULT_POLICY }
  const nuts = { name: 'nuts', policy: DEFAULT_POLICY }
  const m8 = damageItemOf(bolts, '{"size":8}')
  const m9 = damageItemOf(bolts, '{"size":9}')
  const note = damageItemOf(nuts, 'a note', 'text/plain')
  const batch = createBatch([
    { collection: bolts, items: [m8, m9] },
    { collection: nuts, items: [note] },
  ])
  const sumOf = (collection: string, item: typeof m8): number =>
    createItemChecksum()({ collection, media: item.media, firstSeenMs: 5 }, itemKey(item.id), item.content)
  const sent = (rows: readonly number[]): unknown => batch.putValues(rows, 5).at(-1)
  expect(sent([0, 1, 2])).toEqual(integerArray([sumOf('bolts', m8), sumOf('bolts', m9), sumOf('nuts', note)]))
  expect(sent([1, 2])).toEqual(integerArray([sumOf('bolts', m9), sumOf('nuts', note)]))
})
