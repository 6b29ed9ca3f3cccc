/** The URL schemes of an external HTTP API. The service opens it with a mapping, behind locks. */
export const EXTERNAL_HTTP_SCHEMES: readonly string[] = ['http', 'https']
