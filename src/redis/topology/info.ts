/** The answer of INFO, whose fields every judgement about a server starts from. Pure. */

/** Fields by name, such as `role` or `master_link_status`. */
export type InfoFields = ReadonlyMap<string, string>

/** Returns the fields of an INFO answer, or of several answers one after the other. Comments and other lines are left out. */
export function parseInfo(text: string): InfoFields {
  const lines = text.split(/\r?\n/).filter((line) => /^\w+:/.test(line))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)] as const))
}
