/**
 * Prometheus metrics. The part that counts registers its own metrics. Every name of ours begins with `ingot_`; the metrics
 * of the process keep the stock names of prom-client, which the usual Node.js dashboards expect.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { renderOpenMetrics } from './open-metrics.ts'

export type Labels = Readonly<Record<string, string | number>>

export interface CounterMetric {
  /** Default amount: 1. */
  add(labels?: Labels, amount?: number): void
}

export interface GaugeMetric {
  set(value: number, labels?: Labels): void
}

export interface HistogramMetric {
  /** `traceId`: the trace that the bucket's exemplar names. Default: no exemplar. */
  observe(value: number, labels?: Labels, traceId?: string): void
  /** Exports the series with 0 observations. */
  zero(labels: Labels): void
}

export interface MetricOptions {
  readonly name: `ingot_${string}`
  readonly help: string
  readonly labels?: readonly string[]
}

/** Options of metrics that keep their values between scrapes. */
export interface KeptOptions extends MetricOptions {
  /**
   * Label sets that are exported as 0 from the first scrape. Without them the first increase is invisible to
   * `increase()`, because there is no earlier sample. Default: none.
   */
  readonly series?: readonly Labels[]
}

export interface HistogramOptions extends KeptOptions {
  readonly buckets: readonly number[]
}

export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** The two text formats. OpenMetrics also has exemplars. */
export type MetricsFormat = 'prometheus' | 'openmetrics'

export interface Metrics {
  counter(options: KeptOptions): CounterMetric
  gauge(options: KeptOptions): GaugeMetric
  /** Registers a gauge whose value is read at each scrape. */
  gaugeOf(options: MetricOptions, read: () => number | Promise<number>): void
  /** Reads all series when scraped. */
  gaugesOf(options: MetricOptions, read: () => readonly Sample[]): void
  histogram(options: HistogramOptions): HistogramMetric
  /** Registers a histogram that is counted elsewhere, and read at each scrape. `read` returns one count per bucket, and one for larger values. */
  histogramOf(options: HistogramOptions, read: () => Tally): void
  /** Returns the metrics as text. Default format: Prometheus. */
  render(format?: MetricsFormat): Promise<{ readonly contentType: string; readonly body: string }>
}

/** The state of a histogram without labels. */
export interface Tally {
  /** Values per bucket, not cumulative. The last one counts the values above the greatest bucket. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** Returns metrics with their own registry, so that two services in one process do not share counts. */
export function createMetrics(): Metrics {
  return metricsIn(new Registry())
}

/** Does the same as `createMetrics`, and adds the process and event-loop metrics of Node. */
export function createProcessMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return metricsIn(registry)
}

function metricsIn(registry: Registry): Metrics {
  return {
    counter(options) {
      const counter = new Counter(base(options))
      for (const labels of options.series ?? []) counter.inc({ ...labels }, 0)
      registry.registerMetric(counter)
      return { add: (labels = {}, amount = 1) => counter.inc(labels, amount) }
    },
    gauge(options) {
      const gauge = new Gauge(base(options))
      for (const labels of options.series ?? []) gauge.set({ ...labels }, 0)
      registry.registerMetric(gauge)
      return { set: (value, labels = {}) => gauge.set(labels, value) }
    },
    gaugeOf(options, read) {
      const collect = async function (this: Gauge): Promise<void> {
        this.set(await read())
      }
      registry.registerMetric(new Gauge({ ...base(options), collect }))
    },
    gaugesOf(options, read) {
      const collect = function (this: Gauge): void {
        this.reset()
        for (const { labels, value } of read()) this.set(labels, value)
      }
      registry.registerMetric(new Gauge({ ...base(options), collect }))
    },
    histogram: (options) => histogramIn(registry, options),
    histogramOf(options, read) {
      registry.registerMetric(new TalliedHistogram({ ...base(options), buckets: [...options.buckets] }, read))
    },
    render: async (format = 'prometheus') =>
      format === 'openmetrics'
        ? renderOpenMetrics(registry)
        : { contentType: registry.contentType, body: await registry.metrics() },
  }
}

/** Metrics are registered by hand, because the constructors refuse exemplars in a registry of the Prometheus format. */
function base(options: MetricOptions): {
  name: string
  help: string
  labelNames: string[]
  registers: Registry[]
} {
  return { name: options.name, help: options.help, labelNames: [...(options.labels ?? [])], registers: [] }
}

function histogramIn(registry: Registry, options: HistogramOptions): HistogramMetric {
  const histogram = new Histogram({ ...base(options), buckets: [...options.buckets], enableExemplars: true })
  for (const labels of options.series ?? []) histogram.zero({ ...labels })
  registry.registerMetric(histogram)
  return {
    zero: (labels) => histogram.zero({ ...labels }),
    observe(value, labels = {}, traceId) {
      if (traceId === undefined) histogram.observe({ labels, value })
      else histogram.observe({ labels, value, exemplarLabels: { trace_id: traceId } })
    },
  }
}

type TallyOptions = ReturnType<typeof base> & { readonly buckets: number[] }

/** A histogram whose counts are kept outside prom-client, for values that occur once per item. */
class TalliedHistogram extends Histogram {
  readonly #options: TallyOptions
  readonly #read: () => Tally

  constructor(options: TallyOptions, read: () => Tally) {
    super(options)
    this.#options = options
    this.#read = read
  }

  /** prom-client calls this method to render the metric. Its types omit it. */
  async getForPromString(): Promise<object> {
    const { counts, sum } = this.#read()
    let total = 0
    const values = counts.map((count, at) => {
      total += count
      return {
        metricName: `${this.#options.name}_bucket`,
        labels: { le: this.#options.buckets[at] ?? '+Inf' },
        value: total,
      }
    })
    const rest = [
      { metricName: `${this.#options.name}_sum`, labels: {}, value: sum },
      { metricName: `${this.#options.name}_count`, labels: {}, value: total },
    ]
    const { name, help } = this.#options
    return { name, help, type: 'histogram', aggregator: 'sum', values: [...values, ...rest] }
  }
}
