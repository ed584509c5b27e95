/**
 * Reads the project's own sources for the house tests: which files there are, what they import, and what their code
 * says once comments and the contents of strings are left out.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the project, seen from the compiled form of this file. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

export interface SourceFile {
  /** From the root of the project, with slashes. */
  readonly path: string
  readonly text: string
}

/** All files under `folder` whose name ends in `ending`, in a fixed order. A missing folder has none. */
export function filesUnder(folder: string, ending: string): SourceFile[] {
  let entries: string[]
  try {
    entries = readdirSync(ROOT + folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
  return entries
    .filter((entry) => entry.endsWith(ending))
    .sort()
    .map((entry) => posix.join(folder, entry))
    .map((path) => ({ path, text: readFileSync(ROOT + path, 'utf8') }))
}

export interface Import {
  readonly line: number
  /** As written: `../base/assert.js`, `node:fs`, `zod`. */
  readonly specifier: string
  /** The source file that a relative specifier names, from the root; undefined for a package. */
  readonly target: string | undefined
}

/** Everything that a file imports or re-exports, types and dynamic imports included. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const code = codeOf(text, 'keep strings')
  const pattern = /(?<![.\w$])(?:import\s*\(?|(?:import|export)\b[^'"();=]*\bfrom)\s*(['"])([^'"\n]+)\1/g
  return [...code.matchAll(pattern)].map((match) => {
    const specifier = match[2]!
    const target = specifier.startsWith('.')
      ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
      : undefined
    return { line: lineAt(code, match.index), specifier, target }
  })
}

/** The number of the line in which an index lies, from 1. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

/**
 * A source with its comments blanked, and unless told otherwise the contents of its strings; every character that
 * is left stands where it stood. Expressions within templates are code.
 */
export function codeOf(text: string, strings?: 'keep strings'): string {
  const out: string[] = []
  /** For each template that is open, how many braces are open within its present expression. */
  const templates: number[] = []
  let before = ''
  let at = 0

  const skip = (end: number, keep = false) => {
    out.push(keep ? text.slice(at, end) : text.slice(at, end).replace(/[^\n]/g, ' '))
    at = end
  }
  const endOf = (pattern: RegExp): number => {
    pattern.lastIndex = at
    return pattern.exec(text) === null ? text.length : pattern.lastIndex
  }
  const template = () => {
    skip(endOf(/(?:\\[^]|[^\\`$]|\$(?!\{))*(?:`|\$\{)/gy), strings !== undefined)
    if (text[at - 1] === '{') templates.push(0)
    before = '`'
  }

  while (at < text.length) {
    const char = text[at]!
    if (text.startsWith('//', at)) skip(endOf(/[^\n]*/gy))
    else if (text.startsWith('/*', at)) skip(endOf(/\/\*[^]*?\*\//gy))
    else if (char === "'" || char === '"') {
      skip(
        endOf(char === "'" ? /'(?:\\[^]|[^\\'\n])*'?/gy : /"(?:\\[^]|[^\\"\n])*"?/gy),
        strings !== undefined,
      )
      before = char
    } else if (char === '`') {
      skip(at + 1, true)
      template()
    } else if (char === '/' && /[(,=:[!&|?{};>]|^$|\breturn$/.test(before)) {
      skip(endOf(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/?[a-z]*/gy))
      before = '/'
    } else if (char === '}' && templates.at(-1) === 0) {
      templates.pop()
      skip(at + 1, true)
      template()
    } else if (/[\w$]/.test(char)) {
      const end = endOf(/[\w$]+/gy)
      before = text.slice(at, end)
      skip(end, true)
    } else {
      if (templates.length > 0 && char === '{') templates.push(templates.pop()! + 1)
      if (templates.length > 0 && char === '}') templates.push(templates.pop()! - 1)
      if (/\S/.test(char)) before = char
      skip(at + 1, true)
    }
  }
  return out.join('')
}
