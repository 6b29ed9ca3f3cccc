/**
 * Completes a build of tsc. Copies the Lua and SQL scripts next to the modules that read them. Writes a package.json that
 * resolves `#failpoint` to the shipped variant, not to that of the tests.
 */
import { cpSync, globSync, writeFileSync } from 'node:fs'

const scripts = globSync('src/**/*.{lua,sql}')
for (const script of scripts) cpSync(script, script.replace(/^src/, 'dist'))
writeFileSync('dist/package.json', '{"type":"module","imports":{"#failpoint":"./std/failpoint.js"}}\n')
console.log(`scripts: ${scripts.length} copied`)
