/** Reads the text format of Prometheus. Pure. */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' }

/** Returns the samples whose names begin with `ingot_`. Ignores lines that are no samples. */
export function ingotSamples(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('ingot_')) return []
    const [, name = '', labels = '', value = ''] = LINE.exec(line.trim()) ?? []
    return name === '' ? [] : [{ name, labels: labelsOf(labels), value: Number(value) }]
  })
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(LABEL)].map(([, name = '', value = '']) => [name, unescaped(value)] as const)
  return Object.fromEntries(pairs)
}

function unescaped(value: string): string {
  return value.replaceAll(/\\(.)/g, (all, letter: string) => ESCAPES[letter] ?? all)
}
