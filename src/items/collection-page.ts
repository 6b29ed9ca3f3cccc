/** Makes pages of a list of collections. */
import type { CollectionPage, ListedCollection } from './store.ts'

/** Returns a page of at most `limit` collections, from up to `limit + 1` that are in the order of their names. */
export function collectionPage(found: readonly ListedCollection[], limit: number): CollectionPage {
  const collections = found.slice(0, limit)
  const last = collections.at(-1)
  return last === undefined || found.length <= limit ? { collections } : { collections, next: last.name }
}

/** Returns a page from all collections, in any order. */
export function pageOfAll(
  all: readonly ListedCollection[],
  { after = '', limit }: { readonly after?: string; readonly limit: number },
): CollectionPage {
  const later = all.filter(({ name }) => name > after).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return collectionPage(later.slice(0, limit + 1), limit)
}
