/** The scripts that are files of their own (Lua for Redis, SQL) go beside the compiled modules that read them. */
import { cpSync, globSync } from 'node:fs'

const scripts = globSync('src/**/*.{lua,sql}')
for (const script of scripts) cpSync(script, script.replace(/^src/, 'dist'))
console.log(`scripts: ${scripts.length} copied`)
