/** Replies of Sentinel as redis-cli prints them without a terminal: one value per line. Pure. */

/** Entry of `SENTINEL SENTINELS`: another Sentinel, as one Sentinel knows it. */
export interface SentinelPeer {
  readonly port: number
  /** Such as `sentinel` and `s_down`. */
  readonly flags: readonly string[]
}

/** Returns the fields of `SENTINEL MASTER`, or of one entry of a list: names and values in turn. */
export function parseSentinelFields(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/)
  const pairs = lines.flatMap((name, index) => (index % 2 === 0 ? [[name, lines[index + 1] ?? ''] as const] : []))
  return new Map(pairs.filter(([name]) => name !== ''))
}

/** Returns the entries of `SENTINEL SENTINELS`. */
export function parseSentinelPeers(text: string): readonly SentinelPeer[] {
  // each entry begins with its name
  const entries = text.split(/(?<=^|\n)(?=name\r?\n)/)
  return entries.map(parseSentinelFields).flatMap((fields) => {
    const port = Number(fields.get('port'))
    return fields.has('port') ? [{ port, flags: (fields.get('flags') ?? '').split(',') }] : []
  })
}

/** Returns the host that `SENTINEL GET-MASTER-ADDR-BY-NAME` names; undefined if it names none. */
export function parsePrimaryHost(text: string): string | undefined {
  const [host = ''] = text.split(/\r?\n/)
  return host.trim() === '' ? undefined : host.trim()
}
