/** Sizes of memory, as Kubernetes and as Redis write them. Pure. */

const KUBERNETES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** redis.conf: `k` is 1000, `kb` is 1024. */
const REDIS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 2 ** 10,
  m: 1e6,
  mb: 2 ** 20,
  g: 1e9,
  gb: 2 ** 30,
}

/** Returns the bytes of a quantity such as `256Mi`, or undefined. */
export function bytesOfQuantity(text: string): number | undefined {
  return sizeOf(text, KUBERNETES)
}

/** Returns the bytes of a size in redis.conf such as `200mb`, or undefined. */
export function bytesOfRedisSize(text: string): number | undefined {
  return sizeOf(text.toLowerCase(), REDIS)
}

function sizeOf(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text.trim()) ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  return number === '' || factor === undefined ? undefined : Number(number) * factor
}
