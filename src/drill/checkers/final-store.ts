/** The content of the store at the end of a run, read without the service. */

/** A stored item. */
export interface StoredRow {
  readonly collection: string
  /** ID as the service writes it, such as `j1-<64 hex>`. */
  readonly id: string
  /** SHA-256 of the stored content, in hex. */
  readonly bytes: string
}

/** A save that a store without a unique index accepted, in commit order. */
export interface LoggedSave extends StoredRow {
  readonly fence?: string
}

/** A write that the register accepted, in commit order. */
export interface RegisterRow {
  readonly key: string
  readonly value: string
  readonly fence: string
}

/** Content of a store. Fields that do not apply to the store are absent. */
export interface FinalStore {
  readonly rows: readonly StoredRow[]
  /** Log of a store that cannot enforce uniqueness. */
  readonly saves?: readonly LoggedSave[]
  /** Whether that store refuses stale fences. With `off`, duplicate saves are counted and are no violation. */
  readonly fencing?: 'on' | 'off'
  /** Writes of the register workload, if the run had one. */
  readonly register?: readonly RegisterRow[]
}
