/**
 * Runs before `npm start` and `npm test`, on whatever Node the machine has: installs the locked dependencies
 * (Node 24 is one of them) when they are missing or the lock file changed since, and otherwise does nothing,
 * so that a second start needs no network.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
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

// `npx ingot` runs the source: npm links the commands of dependencies, not the project's own
const command = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'ingot.cmd' : 'ingot')
if (!existsSync(command)) {
  if (process.platform === 'win32') writeFileSync(command, '@node "%~dp0\\..\\..\\src\\cli.ts" %*\r\n')
  else symlinkSync(join('..', '..', 'src', 'cli.ts'), command)
}
