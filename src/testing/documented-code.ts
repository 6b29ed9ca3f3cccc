/** Checks the TypeScript in our Markdown files with the compiler, against the sources. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from '../drill/checkout.ts'

/** One fenced block of the language `ts`. */
export interface Snippet {
  /** Number of its first line, counted from 1. */
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
  // an example may have unused declarations
  return { ...rest, incremental: false, noEmit: true, noUnusedLocals: false, paths: entries() }
}

/** Sources are parsed once for all calls. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** Returns a compiler host in which these files exist in addition to the real ones. */
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
 * Compiles each snippet as a separate module at the root of the project. A package entry such as `ingot/lock` resolves to
 * its source. `prelude` is the body of `declare global`, with the names that the snippets use but do not declare.
 * Returns the errors as "line: message", with the line in the Markdown file.
 */
export function typeErrors(snippets: readonly Snippet[], prelude: string): readonly string[] {
  const options = compilerOptions()
  const global = `declare global {\n${prelude}\n}\nexport {}\n`
  const files = new Map([[join(ROOT, 'documented-prelude.ts'), global]])
  for (const { line, text } of snippets) {
    // preserves the line numbers, and makes it a module even without an import
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
