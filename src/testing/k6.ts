/** Runs k6. Without k6 a test is skipped with the reason, or fails if CI is set. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT } from '../drill/checkout.ts'
import type { Absent } from './present.ts'

export interface K6Run extends AsyncDisposable {
  /** Resolves when the load has started. Rejects if k6 ends before, or after a minute. */
  readonly began: Promise<void>
  /** Exit code and output. */
  readonly ended: Promise<{ readonly code: number | null; readonly printed: string }>
  kill(): void
}

export interface K6 {
  /** Runs a script of loadtests/ and writes its samples to `out`. */
  start(script: string, out: string, settings: Readonly<Record<string, string>>): K6Run
}

const BEGIN_MS = 60_000

export function findK6(): K6 | Absent {
  const { status, error } = spawnSync('k6', ['version'])
  if (status !== 0) return { absent: `no k6: ${error?.message ?? `k6 version ended with ${status}`}` }
  return { start: startK6 }
}

function startK6(script: string, out: string, settings: Readonly<Record<string, string>>): K6Run {
  const given = Object.entries(settings).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  const args = ['run', '--quiet', '--out', `json=${out}`, ...given, join('loadtests', `${script}.ts`)]
  const child = spawn('k6', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => void (printed += text))
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const began = begin(child, out, () => printed)
  // a caller may await only the end: a short script may end before its start is detected
  began.catch(() => {})
  return {
    began,
    ended: ended.then((code) => ({ code, printed })),
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function begin(child: ChildProcess, out: string, printed: () => string): Promise<void> {
  for (const endMs = performance.now() + BEGIN_MS; performance.now() < endMs; await sleep(100)) {
    if (existsSync(out) && readFileSync(out, 'utf8').includes('"began"')) return
    if (child.exitCode !== null) throw new Error(`k6 ended with ${child.exitCode} at its start: ${printed()}`)
  }
  throw new Error(`k6 did not begin within ${BEGIN_MS} ms: ${printed()}`)
}
