/** Deletes the items of a drill, so that a daily drill does not leave rows for ever. */

/** Rejects if the service refuses the deletion or does not respond. A large collection is deleted in the background. */
export async function dropCollection(
  baseUrl: string,
  { collection, token }: { readonly collection: string; readonly token?: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const url = `${baseUrl}/v1/collections/${encodeURIComponent(collection)}`
  const response = await fetch(url, { method: 'DELETE', headers, signal })
  const body = await response.text()
  // nothing was saved
  if (response.ok || response.status === 404) return
  throw new Error(`DELETE of collection ${collection}: ${response.status} ${body.slice(0, 300)}`)
}
