/**
 * A second process that ends the command if ingot is killed, because ingot could no longer stop it before the lease ends.
 * It reads from a pipe that only ingot writes to. The end of the pipe without the word `done` means that ingot is dead.
 */
import { spawn } from 'node:child_process'
import type { LeaseTerms } from './terms.ts'

export interface Guard {
  /** Names the process to end, or minus its group. Until then the guard ends nothing. */
  watch(target: number): void
  /** From now on too little of the lease is left for a SIGTERM before the SIGKILL. */
  hurry(): void
  /** Ends the guard. */
  dismiss(): void
}

/**
 * Argument: the seconds between SIGTERM and SIGKILL. While ingot lives, it asks the
 * command to end when the rest of the lease falls to the grace. So at its death more than the grace is left, or it has
 * sent `hurry`.
 */
const SCRIPT = `
while read -r word value; do
  case $word in
    watch) target=$value ;;
    done) exit 0 ;;
    hurry) hurry=yes ;;
  esac
done
[ -n "$target" ] || exit 0
if [ -z "$hurry" ]; then
  kill -s TERM -- "$target"
  sleep "$1"
fi
kill -s KILL -- "$target"`

/**
 * Starts the guard. Without a shell, such as in an image that has none, there is no guard. Start it before the command: a
 * later start would leave the command alone if ingot were killed in between.
 */
export function startGuard({ graceMs, reserveMs }: LeaseTerms): Guard {
  const args = ['-c', SCRIPT, 'ingot-lock-guard', (Math.max(0, graceMs - reserveMs) / 1_000).toFixed(3)]
  // detached, so that Ctrl-C does not reach it
  const shell = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  shell.unref()
  return {
    watch: (target) => void shell.stdin.write(`watch ${target}\n`),
    hurry: () => void shell.stdin.write('hurry\n'),
    dismiss: () => void shell.stdin.end('done\n'),
  }
}
