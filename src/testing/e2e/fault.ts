/** A fault of the drills: what it does, and how it is known to have happened. */
import type { Stage, View } from './stage.ts'

/** Rejects when it did not come about: the drill is then inconclusive. */
export type Strike = (stage: Stage, before: View, context: StrikeContext) => Promise<string>

export interface StrikeContext {
  readonly signal: AbortSignal
  /** To be called at the moment at which the harm begins; until then the strike only prepares. */
  readonly struck: () => void
}
