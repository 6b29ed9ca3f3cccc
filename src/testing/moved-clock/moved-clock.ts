/**
 * Lets a test move the wall clock of a server in a Debian container, by a preloaded library. The other clocks stay. A server
 * has the library if it was started after `BUILD_CLOCK`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../std/until.ts'
import type { Absent } from '../present.ts'

const LIBRARY = '/tmp/clock.so'
const OFFSET_FILE = '/tmp/clock-offset'
const SOURCE = readFileSync(join(import.meta.dirname, 'clock.c'), 'utf8')

/** Environment of the server. The loader ignores a library that is not there yet. */
export const MOVED_CLOCK: Readonly<Record<string, string>> = { LD_PRELOAD: LIBRARY }

/** Script that builds the library, to be run as root. */
export const BUILD_CLOCK = `unset LD_PRELOAD
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends tcc >/dev/null
cat >/tmp/clock.c <<'END'
${SOURCE}END
tcc -shared -nostdlib -o ${LIBRARY} /tmp/clock.c
echo 0 >${OFFSET_FILE}`

/** Runs a script in the container as root, and resolves with its output. */
export type RootShell = (script: string) => Promise<string>

/** Resolves with `{}` if the library was built. */
export async function clockIsBuilt(shell: RootShell): Promise<object | Absent> {
  const isBuilt = (await shell(`test -s ${LIBRARY} && echo yes || echo no`)) === 'yes'
  return isBuilt ? {} : { absent: 'no compiler (tcc) could be installed in the container' }
}

/** Builds the library and has `restart` start the server with it. Resolves as `clockIsBuilt`. */
export async function preloadClock(shell: RootShell, restart: () => Promise<void>): Promise<object | Absent> {
  await shell(BUILD_CLOCK)
  const built = await clockIsBuilt(shell)
  if (!('absent' in built)) await restart()
  return built
}

const MOVED_MS = 10_000
const EVERY_MS = 250
/** A jump is far longer than that, and a busy machine reads the two clocks much faster. */
const SLACK_S = 20

/**
 * Sets the clock this many seconds ahead of the machine's, or behind it. `wallMs` reads the server's clock. Rejects if that
 * has not moved.
 */
export async function moveClock(shell: RootShell, seconds: number, wallMs: () => Promise<number>): Promise<void> {
  await shell(`echo ${seconds} >${OFFSET_FILE}`)
  await until(
    async () => {
      const offset = ((await wallMs()) - Date.now()) / 1_000
      const isMoved = Math.abs(offset - seconds) < SLACK_S
      return isMoved ? { value: true } : { missing: `a clock ${seconds} s ahead: it is ${offset} s ahead` }
    },
    { withinMs: MOVED_MS, everyMs: EVERY_MS },
  )
}
