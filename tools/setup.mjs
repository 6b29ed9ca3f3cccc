/**
 * Runs before `npm start` and `npm test`, with any Node that the machine has. Installs the locked dependencies (Node 24 is
 * one of them) if they are missing or the lock file has changed. Otherwise does nothing, so a second start needs no
 * network.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'node_modules', '.ingot-lock')
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
const runtime = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')

function installed() {
  return existsSync(runtime) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
}

if (!installed()) {
  console.log('ingot: installing dependencies (once)')
  const npm = process.env.npm_execpath
  const args = ['ci', '--no-fund', '--no-audit', '--loglevel=error']
  if (npm?.endsWith('.js')) execFileSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
  else execFileSync('npm', args, { cwd: root, stdio: 'inherit' })
  writeFileSync(stamp, wanted)
}

// npm links only the commands of dependencies, so this script creates node_modules/.bin/ingot for `npx ingot`
const launcher = join('..', '..', 'bin', 'ingot.mjs')
const command = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'ingot.cmd' : 'ingot')
if (process.platform === 'win32') writeFileSync(command, '@node "%~dp0\\..\\..\\bin\\ingot.mjs" %*\r\n')
else if (linkOf(command) !== launcher) {
  rmSync(command, { force: true })
  symlinkSync(launcher, command)
}

function linkOf(path) {
  try {
    return readlinkSync(path)
  } catch {
    // there is no link yet
    return undefined
  }
}
