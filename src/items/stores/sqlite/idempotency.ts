/** The receipts stored under Idempotency-Keys, each with a checksum. */
import type { DatabaseSync } from 'node:sqlite'
import type { Receipt } from '../../receipt.ts'
import { receiptChecksum } from '../../receipt.ts'
import type { IdempotencyRequest } from '../../store.ts'
import type { PackedOutcome } from './protocol.ts'

export interface Receipts {
  /** Returns the outcome of a unit whose key was used before. Returns `undefined` for an unused or expired key. */
  find(request: IdempotencyRequest, nowMs: number): Exclude<PackedOutcome, { kind: 'stored' }> | undefined
  keep(request: IdempotencyRequest, receipt: Receipt): void
  clearExpired(nowMs: number): void
}

/** Number of expired receipts that one batch deletes, so that no batch waits for a large deletion. */
const EXPIRED_PER_BATCH = 64

export function createIdempotency(db: DatabaseSync): Receipts {
  const select = db.prepare(
    'SELECT fingerprint, status, body, expires_ms, checksum FROM receipts WHERE scope = ? AND key = ?',
  )
  const replace = db.prepare(
    'INSERT OR REPLACE INTO receipts (scope, key, fingerprint, status, body, expires_ms, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const clear = db.prepare(
    'DELETE FROM receipts WHERE (scope, key) IN (SELECT scope, key FROM receipts WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)',
  )
  return {
    find({ scope, key, fingerprint }, nowMs) {
      const row = select.get(scope, key)
      if (row === undefined) return undefined
      const receipt = { status: Number(row['status']), body: String(row['body']) }
      const kept = { scope, key, fingerprint: String(row['fingerprint']), expiresAtMs: Number(row['expires_ms']) }
      if (row['checksum'] !== null && row['checksum'] !== receiptChecksum(kept, receipt))
        return { kind: 'receipt-damaged' }
      if (kept.expiresAtMs <= nowMs) return undefined
      if (kept.fingerprint !== fingerprint) return { kind: 'key-reused' }
      return { kind: 'replayed', receipt }
    },
    keep(request, receipt) {
      const checksum = receiptChecksum(request, receipt)
      const { scope, key, fingerprint, expiresAtMs } = request
      replace.run(scope, key, fingerprint, receipt.status, receipt.body, expiresAtMs, checksum)
    },
    clearExpired: (nowMs) => void clear.run(nowMs, EXPIRED_PER_BATCH),
  }
}
