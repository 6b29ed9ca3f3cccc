/**
 * The program of another process that uses a lock service. Opens the URL of its argument and executes the commands of its
 * parent. Ends with its parent.
 */

import type { Lease, LeaseRequest } from '../../lock/backend.ts'
import { openFenceStore } from '../../lock/fencing/registry.ts'
import type { Key } from '../../lock/lock.ts'
import { openLockBackend } from '../../lock/registry.ts'
import { systemClock } from '../../std/clock.ts'
import { silentLog } from '../../telemetry/log.ts'

export type PeerCommand =
  | { readonly op: 'tryAcquire' | 'extend'; readonly request: LeaseRequest }
  | { readonly op: 'release'; readonly lease: Lease }
  | { readonly op: 'inspect'; readonly key: Key }

/** Messages of the child: `ready` once, then a response for each id. */
export type PeerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }

const CALL_MS = 10_000

function send(reply: PeerReply): void {
  process.send?.(reply)
}

async function main(url: string): Promise<void> {
  const soon = AbortSignal.timeout(CALL_MS)
  const store = process.env['INGOT_TEST_FENCES'] ?? ''
  const context = { clock: systemClock, log: silentLog }
  const fenced = store === '' ? context : { ...context, fences: await openFenceStore(store, soon) }
  const backend = await openLockBackend(url, fenced, soon)

  function perform(command: PeerCommand): Promise<unknown> {
    const signal = AbortSignal.timeout(CALL_MS)
    if (command.op === 'release') return backend.release(command.lease, signal)
    if (command.op === 'inspect') return backend.inspect(command.key, signal)
    return backend[command.op](command.request, signal)
  }

  async function answer(message: { readonly id: number; readonly command: PeerCommand }): Promise<void> {
    send({ kind: 'answer', id: message.id, value: await perform(message.command) })
  }

  process.on('message', (message) => void answer(message as { id: number; command: PeerCommand }))
  send({ kind: 'ready' })
}

process.on('disconnect', () => process.exit())
main(process.argv[2] ?? '').catch((thrown: unknown) => send({ kind: 'failed', reason: String(thrown) }))
