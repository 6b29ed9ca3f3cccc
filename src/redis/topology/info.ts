/** Parses the reply to INFO. Pure. */

/** Fields by name, such as `role` or `master_link_status`. */
export type InfoFields = ReadonlyMap<string, string>

/** Returns the fields of a reply to INFO, or of several replies one after the other. Ignores comments and other lines. */
export function parseInfo(text: string): InfoFields {
  const lines = text.split(/\r?\n/).filter((line) => /^\w+:/.test(line))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)] as const))
}
