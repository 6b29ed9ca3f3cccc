/** Counts the use of the shared cache in a run. A run without lookups proves nothing about it. */

/** Resolves with the numbers of cache hits and of distrusted entries since the last start of each replica. */
export async function cacheCounts(urls: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const pages = await Promise.all(urls.map(metricsOf))
  const sum = (result: string): number => {
    const line = new RegExp(`^ingot_cache_lookups_total\\{result="${result}"\\} (\\d+)$`, 'm')
    return pages.reduce((total, page) => total + Number(line.exec(page)?.[1] ?? 0), 0)
  }
  return { 'cache hit': sum('hit'), 'cache disbelieved': sum('disbelieved') }
}

async function metricsOf(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
  return (await response?.text().catch(() => undefined)) ?? ''
}
