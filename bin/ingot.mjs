#!/usr/bin/env node
/**
 * Starts ingot on a Node that can run it, whichever one the machine has: the one that runs this file if it is new
 * enough, otherwise the one that `npm ci` installs beside ingot. Old versions of Node run this file too, so it uses
 * nothing that Node 16 lacks.
 *
 * Where the system can replace a process, this one becomes ingot. Elsewhere it waits for it, passes on signals, and
 * ends as it ended: with the same exit code or by the same signal.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Node 22.19 runs TypeScript and SQLite without flags and warnings. */
const NEEDED = [22, 19]

/** As `npm start` and the image have them: fewer collections of the young generation, a heap that grows less. */
const SERVE_FLAGS = ['--max-semi-space-size=16', '--heap-growing-percent=60']

/** What src/commands/line/v8.ts sets once the command runs, from the first moment: the process cannot hang at its exit. */
const OTHER_FLAGS = ['--no-concurrent-recompilation']

/** Passed on to ingot. A terminal sends its own to both; ingot takes such a pair for one. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']

const root = dirname(dirname(fileURLToPath(import.meta.url)))

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])
}

/** The package `node` keeps it here, beside ingot or in a folder above it. */
function bundledNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  for (let at = root; ; at = dirname(at)) {
    const path = join(at, 'node_modules', 'node', 'bin', name)
    if (existsSync(path)) return path
    if (at === dirname(at)) return undefined
  }
}

/** kubectl finds its plugins by name: under the name kubectl-ingot this is the plugin `kubectl ingot`. */
function program() {
  const called = basename(process.argv[1] ?? '').replace(/\.(mjs|cmd|exe)$/, '')
  const name = called === 'kubectl-ingot' ? called : 'cli'
  const source = join(root, 'src', `${name}.ts`)
  return existsSync(source) ? source : join(root, 'dist', `${name}.js`)
}

function refuse() {
  const needed = NEEDED.join('.')
  process.stderr.write(
    `ingot needs Node ${needed} or newer, and this is ${process.version}: run "npm ci" in ${root}, which installs one for ingot alone, or update Node\n`,
  )
  process.exitCode = 2
}

function start(node, args) {
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, ...args], process.env)
  }
  const child = spawn(node, args, { stdio: 'inherit' })
  const forward = (signal) => void child.kill(signal)
  const signals = FORWARDED.filter((name) => name in constants.signals)
  for (const name of signals) process.on(name, forward)
  child.on('error', (failure) => {
    process.stderr.write(`ingot cannot start ${node}: ${failure.message}\n`)
    process.exitCode = 2
  })
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeListener(name, forward)
    if (signal === null) process.exitCode = code
    else process.kill(process.pid, signal)
  })
}

const node = isNewEnough(process.version) ? process.execPath : bundledNode()
const args = process.argv.slice(2)
const flags = args[0] === 'serve' ? SERVE_FLAGS : OTHER_FLAGS
if (node === undefined) refuse()
else start(node, [...flags, program(), ...args])
