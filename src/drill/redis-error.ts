/** Finds the error code in a message of Redis. */

const WORD =
  /\b(READONLY|NOREPLICAS|LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|MISCONF|NOAUTH|NOPERM|WRONGPASS|OOM|UNBLOCKED)\b/

/** Returns the code, such as `READONLY`, from any position in the text, or undefined if there is none. */
export function redisErrorIn(text: string): string | undefined {
  return WORD.exec(text)?.[1]
}
