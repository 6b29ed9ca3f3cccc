/** What an error of Redis is about: the first word of it tells most. */

const WORD =
  /\b(READONLY|NOREPLICAS|LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|MISCONF|NOAUTH|NOPERM|WRONGPASS|OOM|UNBLOCKED)\b/

/** Such as `READONLY`, wherever it stands; undefined without one. */
export function redisErrorIn(text: string): string | undefined {
  return WORD.exec(text)?.[1]
}
