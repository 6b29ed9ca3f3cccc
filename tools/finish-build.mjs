/**
 * What tsc leaves out of a build: the scripts that are files of their own (Lua for Redis, SQL) beside the modules that
 * read them, and a package.json that resolves `#failpoint` within the build, without the variant that tests use.
 */
import { cpSync, globSync, writeFileSync } from 'node:fs'

const scripts = globSync('src/**/*.{lua,sql}')
for (const script of scripts) cpSync(script, script.replace(/^src/, 'dist'))
writeFileSync('dist/package.json', '{"type":"module","imports":{"#failpoint":"./std/failpoint.js"}}\n')
console.log(`scripts: ${scripts.length} copied`)
