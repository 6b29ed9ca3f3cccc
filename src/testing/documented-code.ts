/** The TypeScript in our Markdown files, checked by the compiler against the sources. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from '../std/checkout.ts'

/** One fenced block of the language `ts`. */
export interface Snippet {
  /** Of its first line, counted from 1. */
  readonly line: number
  readonly text: string
}

const BLOCK = /^```ts\n([\s\S]*?)^```$/gm

/** Returns the `ts` blocks of a Markdown text, in order. */
export function snippetsOf(markdown: string): readonly Snippet[] {
  return [...markdown.matchAll(BLOCK)].map((match) => ({
    line: markdown.slice(0, match.index).split('\n').length + 1,
    text: match[1] ?? '',
  }))
}

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

/** Maps each entry of the package to the source from which it is built. */
function entries(): Record<string, string[]> {
  const { name, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
  const paths: Record<string, string[]> = {}
  for (const [entry, target] of Object.entries(exports)) {
    if (typeof target === 'string') continue
    const source = target.types.replace('./dist/', 'src/').replace('.d.ts', '.ts')
    paths[name + entry.slice(1)] = [join(ROOT, source)]
  }
  return paths
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    readonly config: unknown
  }
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, ROOT)
  const { tsBuildInfoFile: _, ...rest } = options
  // an example may declare what it does not use
  return { ...rest, incremental: false, noEmit: true, noUnusedLocals: false, paths: entries() }
}

/** The sources are parsed once for all calls. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** A compiler host in which these files exist beside the real ones. */
function hostWith(files: ReadonlyMap<string, string>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  return {
    ...host,
    fileExists: (path) => files.has(path) || host.fileExists(path),
    readFile: (path) => files.get(path) ?? host.readFile(path),
    getSourceFile(path, language, onError) {
      const text = files.get(path)
      if (text !== undefined) return ts.createSourceFile(path, text, language)
      if (!parsed.has(path)) parsed.set(path, host.getSourceFile(path, language, onError))
      return parsed.get(path)
    },
  }
}

/**
 * Compiles each snippet as a module of its own at the root of the project, where a package entry such as `ingot/lock` means
 * its source. `prelude` declares what the snippets use and do not explain, as the inside of `declare global`.
 * Returns the errors, each as "line: message" with the line in the Markdown file.
 */
export function typeErrors(snippets: readonly Snippet[], prelude: string): readonly string[] {
  const options = compilerOptions()
  const global = `declare global {\n${prelude}\n}\nexport {}\n`
  const files = new Map([[join(ROOT, 'documented-prelude.ts'), global]])
  for (const { line, text } of snippets) {
    // as many empty lines as stand before it, and a module even without an import
    files.set(join(ROOT, `documented-${line}.ts`), `${'\n'.repeat(line - 1)}${text}\nexport {}\n`)
  }
  const program = ts.createProgram([...files.keys()], options, hostWith(files, options))
  const own = [...files.keys()].flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)))
  return [...new Set(own.map(describe))]
}

function describe({ file, start = 0, messageText }: ts.Diagnostic): string {
  const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
  return `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
}
