/** Declares the URLs of the shared cache in Redis: one server, Sentinel or Cluster. */
import type { UrlForm } from '../../../std/url-form.ts'

export const redisCacheUrls: UrlForm = {
  schemes: ['redis', 'rediss', 'redis+sentinel', 'redis+cluster'],
  examples: ['redis://…', 'rediss://…', 'redis+sentinel://…', 'redis+cluster://…'],
}
