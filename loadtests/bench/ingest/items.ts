/** The items of the benchmark: deterministic, distinct, 256 bytes of JSON each. */

const ITEM_BYTES = 256

/** Returns an item. Different `series` have different contents. */
export function itemText(series: string, index: number): string {
  const head = `{"amount":${(index % 9973) / 100},"customer":"c-${index % 5003}","items":[${index % 7},${index % 11}],"order":"${series}-${index}","state":"open","text":"`
  return `${head.padEnd(ITEM_BYTES - 2, 'lorem ipsum dolor sit amet ')}"}`
}

/** Returns the items `from` to `to` (exclusive) as NDJSON. */
export function ndjson(series: string, from: number, to: number): Buffer {
  const lines: string[] = []
  for (let index = from; index < to; index++) lines.push(itemText(series, index))
  return Buffer.from(`${lines.join('\n')}\n`)
}
