/** Declares the URLs of an external HTTP API. The service opens it with a mapping, behind locks. */
import { schemeOf, type UrlForm } from '../../../std/url-form.ts'

const SECURE = 'https'

export const externalHttpUrls: UrlForm = {
  schemes: ['http', SECURE],
  examples: ['http://…', 'https://…'],
  standard: true,
}

/** Returns true if the API is called with TLS. */
export function usesTls(url: string): boolean {
  return schemeOf(url) === SECURE
}
