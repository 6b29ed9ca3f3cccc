/** Forms of the URLs in settings. Each adapter declares its own, and the settings are checked against these. */

export interface UrlForm {
  /** Without the colon, such as `postgres`. */
  readonly schemes: readonly string[]
  /** Shown to users, such as `postgres://user:password@host:port/database`. If it contains `//`, so must every URL. */
  readonly examples: readonly string[]
  /** If true, `new URL()` must accept the URL. Lists of hosts are not standard URLs. Default: false. */
  readonly standard?: boolean
}

/** Returns the scheme of a URL without the colon, or '' if it has none. */
export function schemeOf(url: string): string {
  return /^([a-z][a-z\d+.-]*):/.exec(url)?.[1] ?? ''
}

/** Returns the form that has the scheme of the URL. */
export function formOf<Form extends UrlForm>(url: string, forms: readonly Form[]): Form | undefined {
  const scheme = schemeOf(url)
  return forms.find(({ schemes }) => schemes.includes(scheme))
}

/** Returns true if the URL has the scheme of one of the forms, followed by `//` and more text where the form needs it. */
export function matchesForm(url: string, forms: readonly UrlForm[]): boolean {
  const form = formOf(url, forms)
  if (form === undefined) return false
  const rest = url.slice(schemeOf(url).length + 1)
  return !form.examples.some((example) => example.includes('://')) || (rest.startsWith('//') && rest.length > 2)
}

/** Returns true if the form requires a standard URL and this is none. Postgres may name its host in the parameters. */
export function isMalformed(url: string, forms: readonly UrlForm[]): boolean {
  if (formOf(url, forms)?.standard !== true) return false
  return !URL.canParse(url) && !URL.canParse(url.replace('@/', '@localhost/'))
}

/** Returns the examples of all forms as an English list: `a, b or c`. */
export function describeForms(forms: readonly UrlForm[]): string {
  const examples = forms.flatMap((form) => form.examples)
  return [examples.slice(0, -1).join(', '), ...examples.slice(-1)].filter((part) => part !== '').join(' or ')
}
