/** Applies mutants to text, and makes a copy of the compiled engine with one of them in it. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../tools.js'
import type { Edit, Mutant } from './mutant.js'

/** Throws unless what is to be replaced stands in the text exactly once. */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find)
  if (parts.length !== 2)
    throw new Error(
      `Cannot apply a mutant to ${file}: \`${find}\` stands there ${parts.length - 1} times, not once`,
    )
  return parts.join(replace)
}

/** The text of a source file, and what is compiled of it. */
export function textsOf({ file }: Edit): string[] {
  return [`src/${file}.ts`, `dist/src/${file}.js`].map((path) => readFileSync(join(ROOT, path), 'utf8'))
}

/** Copies what is compiled to `folder`, below the repository so that packages are found, and changes the copy. */
export function buildMutant({ edits }: Mutant, folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const part of ['src', 'assembly']) {
    cpSync(join(ROOT, 'dist', part), join(folder, part), {
      recursive: true,
      filter: (path) => !path.endsWith('.d.ts') && !path.endsWith('.map'),
    })
  }
  for (const edit of edits) {
    const path = join(folder, 'src', `${edit.file}.js`)
    writeFileSync(path, applyEdit(readFileSync(path, 'utf8'), edit))
  }
}
