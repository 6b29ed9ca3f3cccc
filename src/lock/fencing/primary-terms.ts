/**
 * The effects of taking a term, as pure functions over the terms of a fence store. They specify `takeTerm`. Stores that
 * compute in the process use them. The Postgres store does the same in SQL.
 */
import type { Members, Part, PrimaryTerm, TermRequest } from './fence-store.ts'

/** Returns the members of a that are not in b. */
export function without(a: Members, b: Members): Members {
  let left = ''
  for (let i = 0; i < a.length; i++) left += a[i] === '1' && b[i] !== '1' ? '1' : '0'
  return left
}

export function union(a: Members, b: Members): Members {
  let all = ''
  for (let i = 0; i < Math.max(a.length, b.length); i++) all += a[i] === '1' || b[i] === '1' ? '1' : '0'
  return all
}

export function isEmpty(members: Members): boolean {
  return !members.includes('1')
}

export function overlap(a: Members, b: Members): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] === '1' && b[i] === '1') return true
  return false
}

const greatest = (epochs: readonly bigint[]): bigint => epochs.reduce((a, b) => (a > b ? a : b), 0n)

/** Returns an existing epoch of the owner that suffices for the term, or `undefined` if a new one is needed. */
export function ownEpoch(terms: readonly PrimaryTerm[], { owner, parts, above }: TermRequest): bigint | undefined {
  const own = greatest(terms.filter((term) => term.owner === owner).map(({ epoch }) => epoch))
  const foreign = terms.filter(
    (term) =>
      term.owner !== owner && parts.some(({ line, members }) => line === term.line && overlap(members, term.members)),
  )
  return own > 0n && own > above && own > greatest(foreign.map(({ epoch }) => epoch)) ? own : undefined
}

/** Returns the greatest epoch of the owner if it was the last to take one for all of these members of every line. */
export function heldEpoch(
  owner: string,
  terms: readonly PrimaryTerm[],
  lines: readonly string[],
  members: Members,
): bigint | undefined {
  const own = terms.filter((term) => term.owner === owner)
  const isWhole = lines.every((line) => {
    const ofLine = own.filter((term) => term.line === line)
    return isEmpty(ofLine.reduce((left, term) => without(left, term.members), members))
  })
  return isWhole && own.length > 0 ? greatest(own.map(({ epoch }) => epoch)) : undefined
}

/**
 * Returns the terms of the part's line after the owner took this epoch. Members with a greater epoch keep their term.
 */
export function settled(
  terms: readonly PrimaryTerm[],
  { line, members }: Part,
  { epoch, owner }: Pick<PrimaryTerm, 'epoch' | 'owner'>,
): readonly PrimaryTerm[] {
  const greater = terms.filter((term) => term.epoch > epoch)
  const taken = greater.reduce((left, term) => without(left, term.members), members)
  const same = terms.find((term) => term.epoch === epoch)
  const lesser = terms
    .filter((term) => term.epoch < epoch)
    .map((term) => ({ ...term, members: without(term.members, taken) }))
  const now: PrimaryTerm = { line, epoch, owner, members: same === undefined ? taken : union(same.members, taken) }
  return [...lesser, now, ...greater].filter((term) => !isEmpty(term.members))
}
