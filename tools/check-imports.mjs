/**
 * Checks the import table (.dependency-cruiser.cjs). Also fails if suspiciously few modules were read, because a parser
 * that reads nothing finds no violations.
 */
import { cruise } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import config from '../.dependency-cruiser.cjs'

const MIN_MODULES = 150

const { options, forbidden } = config
const { output } = await cruise(
  ['src'],
  { ...options, ruleSet: { forbidden }, validate: true },
  {},
  { tsConfig: extractTSConfig('tsconfig.json') },
)
const seen = output.modules.filter((m) => m.source.startsWith('src/')).length
for (const v of output.summary.violations) console.error(`${v.rule.name}: ${v.from} -> ${v.to}`)
if (seen < MIN_MODULES) console.error(`only ${seen} modules were read, expected at least ${MIN_MODULES}`)
console.log(`imports: ${seen} modules, ${output.summary.violations.length} violations`)
process.exit(output.summary.violations.length > 0 || seen < MIN_MODULES ? 1 : 0)
