/** Reads the settings of the service, and checks their URLs against the forms that the adapters declare. */
import { type Environment, loadConfig } from '../config/load.ts'
import type { Config, UrlForms } from '../config/schema.ts'
import { redisCacheUrls } from '../items/cache/redis/registration.ts'
import { DATABASE_URLS, STORE_URLS } from '../items/registry.ts'
import { FENCE_URLS } from '../lock/fencing/registry.ts'
import { LOCK_URLS } from '../lock/registry.ts'

const URLS: UrlForms = {
  storeUrl: STORE_URLS,
  storeDirectUrl: DATABASE_URLS,
  lockUrl: LOCK_URLS,
  lockDirectUrl: DATABASE_URLS,
  lockFences: FENCE_URLS,
  cacheUrl: [redisCacheUrls],
}

/**
 * Returns the settings. `environment` defaults to that of the process. Throws IngotError CONFIG_INVALID that lists
 * every problem.
 */
export function loadServiceConfig(environment?: Environment): Config {
  return loadConfig(URLS, environment)
}
