/** Prometheus metrics. The part that counts registers its own metrics. Every name begins with `ingot_`. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

type Labels = Readonly<Record<string, string | number>>

export interface CounterMetric {
  /** Default amount: 1. */
  add(labels?: Labels, amount?: number): void
}

export interface GaugeMetric {
  set(value: number, labels?: Labels): void
}

export interface HistogramMetric {
  observe(value: number, labels?: Labels): void
}

interface MetricOptions {
  readonly name: `ingot_${string}`
  readonly help: string
  readonly labels?: readonly string[]
}

export interface Metrics {
  counter(options: MetricOptions): CounterMetric
  gauge(options: MetricOptions): GaugeMetric
  /** Registers a gauge whose value is read at each scrape. */
  gaugeOf(options: MetricOptions, read: () => number): void
  /** Reads all series when scraped. */
  gaugesOf(options: MetricOptions, read: () => readonly { readonly labels: Labels; readonly value: number }[]): void
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): HistogramMetric
  /** Returns the metrics in the text exposition format. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>
}

/** Returns metrics with their own registry, so that two services in one process do not share counts. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const base = (o: MetricOptions) => ({
    name: o.name,
    help: o.help,
    labelNames: [...(o.labels ?? [])],
    registers: [registry],
  })
  return {
    counter(options) {
      const counter = new Counter(base(options))
      return { add: (labels = {}, amount = 1) => counter.inc(labels, amount) }
    },
    gauge(options) {
      const gauge = new Gauge(base(options))
      return { set: (value, labels = {}) => gauge.set(labels, value) }
    },
    gaugeOf(options, read) {
      const collect = function (this: Gauge): void {
        this.set(read())
      }
      registry.registerMetric(new Gauge({ ...base(options), registers: [], collect }))
    },
    gaugesOf(options, read) {
      const collect = function (this: Gauge): void {
        this.reset()
        for (const { labels, value } of read()) this.set(labels, value)
      }
      registry.registerMetric(new Gauge({ ...base(options), registers: [], collect }))
    },
    histogram(options) {
      const histogram = new Histogram({ ...base(options), buckets: [...options.buckets] })
      return { observe: (value, labels = {}) => histogram.observe(labels, value) }
    },
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  }
}

/** Does the same as `createMetrics`, and adds the process and event-loop metrics of Node. */
export function createProcessMetrics(): Metrics {
  const metrics = createMetrics()
  const node = new Registry()
  collectDefaultMetrics({ register: node, prefix: 'ingot_' })
  return {
    ...metrics,
    async render() {
      const [own, process] = await Promise.all([metrics.render(), node.metrics()])
      return { contentType: own.contentType, body: `${own.body}\n${process}` }
    },
  }
}
