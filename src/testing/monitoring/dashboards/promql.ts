/** Pieces of PromQL that several dashboards use. `selector` is what is between the braces. */

/** Returns the rate per second of a counter, summed by labels. */
export function rateBy(labels: string, metric: string, selector: string): string {
  return `sum by (${labels}) (rate(${metric}{${selector}}[$__rate_interval]))`
}

/** Returns a quantile of a histogram, for each set of labels. Default: one value. */
export function quantileBy(quantile: number, metric: string, selector: string, labels = ''): string {
  const by = labels === '' ? 'le' : `${labels}, le`
  return `histogram_quantile(${quantile}, sum by (${by}) (rate(${metric}_bucket{${selector}}[$__rate_interval])))`
}

/** Returns the greatest value of a gauge for each set of labels. */
export function maxBy(labels: string, metric: string, selector: string): string {
  return `max by (${labels}) (${metric}{${selector}})`
}

/** Returns the median and the 99th percentile of a histogram, by the names of their series. */
export function medianAndP99(metric: string, selector: string): Readonly<Record<string, string>> {
  return { median: quantileBy(0.5, metric, selector), p99: quantileBy(0.99, metric, selector) }
}
