/** The shared cache of committed ids, for versions that have one. */
import { CONFIG_KEYS, environmentName } from '../../../src/config/schema.ts'

/** The setting that names its Redis; undefined: there is none. */
export const CACHE_SETTING = CONFIG_KEYS.includes('cacheUrl') ? environmentName('cacheUrl') : undefined
