/**
 * Adds an entry for each optional platform package to package-lock.json. npm omits them if its registry does not have the
 * builds of other platforms, and `npm ci` then refuses the lock file. Run it after changing a dependency. Platforms are
 * read from the names of the packages; libc matters only on Linux.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'sunos', 'win32']
const CPU = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64']

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
let added = 0
for (const parent of Object.values(lock.packages)) {
  for (const [name, range] of Object.entries(parent.optionalDependencies ?? {})) {
    const words = name.split('/').at(-1).split('-')
    const os = OS.find((one) => words.includes(one))
    const cpu = CPU.find((one) => words.includes(one))
    if (os === undefined || cpu === undefined || lock.packages[`node_modules/${name}`] !== undefined) continue
    const libc = words.some((word) => word.startsWith('musl')) ? { libc: ['musl'] } : {}
    const dev = parent.dev === true ? { dev: true } : {}
    lock.packages[`node_modules/${name}`] = { version: range, cpu: [cpu], ...dev, ...libc, optional: true, os: [os] }
    added++
  }
}
const [root, ...rest] = Object.entries(lock.packages)
lock.packages = Object.fromEntries([root, ...rest.toSorted(([a], [b]) => a.localeCompare(b, 'en'))])
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} platform packages added`)
