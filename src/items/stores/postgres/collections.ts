/** Lists collections with the number of their items, from one sample of ids for each kind (estimate.ts). */
import { estimateItems, KEY_RANGES, SAMPLE_IDS } from '../../estimate.ts'
import type { ListedCollection } from '../../store.ts'
import { number, policyOfRow, type Row, text } from './rows.ts'

const byteaOf = (key: Uint8Array): string => `'\\x${Buffer.from(key).toString('hex')}'::bytea`

const RANGES = KEY_RANGES.map(({ from, to }) => `(${byteaOf(from)}, ${byteaOf(to)})`).join(', ')

/** $1: the name before the page, $2: the number of collections. Returns a row for each collection and kind of id. */
export const COLLECTIONS = `
WITH page AS (SELECT id, name, policy, checksum FROM ingot_collections WHERE name > $1 ORDER BY name LIMIT $2)
SELECT page.name, page.policy, page.checksum, sample.count, sample.last
FROM page CROSS JOIN (VALUES ${RANGES}) AS kind (low, high) CROSS JOIN LATERAL (
  SELECT count(*)::integer AS count, coalesce(max(encode(smallest.id, 'hex') COLLATE "C"), '') AS last
  FROM (
    SELECT i.id FROM ingot_items i WHERE i.collection = page.id AND i.id >= kind.low AND i.id < kind.high
    ORDER BY i.id LIMIT ${SAMPLE_IDS}
  ) AS smallest
) AS sample
ORDER BY page.name, kind.low`

/** Returns the collections of the rows of COLLECTIONS. Throws IngotError STORE_CORRUPT for a damaged policy. */
export function collectionsOfRows(rows: readonly Row[]): readonly ListedCollection[] {
  const byName = Map.groupBy(rows, (row) => text(row, 'name'))
  return Array.from(byName, ([name, [first = {}, ...rest]]) => ({
    name,
    policy: policyOfRow(name, first),
    estimatedItems: estimateItems([first, ...rest].map(sampleOf)),
  }))
}

function sampleOf(row: Row) {
  return { count: number(row, 'count'), last: Buffer.from(text(row, 'last'), 'hex') }
}
