/** The content of the store at the end of a run, read without the service. */

export interface StoredRow {
  readonly collection: string
  /** As the service writes it, such as `j1-<64 hex>`. */
  readonly id: string
  /** SHA-256 in hex of the content as it is stored. */
  readonly bytes: string
}

/** A save that a store without a unique index took, in the order in which it took them. */
export interface LoggedSave extends StoredRow {
  readonly fence?: string
}

/** A write that the register took, in the order of its commits. */
export interface RegisterRow {
  readonly key: string
  readonly value: string
  readonly fence: string
}

export interface FinalStore {
  readonly rows: readonly StoredRow[]
  /** The log of a store that cannot refuse duplicates. */
  readonly saves?: readonly LoggedSave[]
  /** Whether that store refuses stale fences. If it does not, double saves are counted and are no violation. */
  readonly fencing?: 'on' | 'off'
  /** The writes of the register workload, where there was one. */
  readonly register?: readonly RegisterRow[]
}
