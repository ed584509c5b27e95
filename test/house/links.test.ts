import { existsSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { expect } from 'chai'
import { filesUnder, lineAt, ROOT, type SourceFile } from './source-tree.js'

/** A page with its code blanked: what looks like a link there is none. */
function prose(text: string): string {
  const blank = (code: string) => code.replace(/[^\n]/g, ' ')
  return text.replace(/^( *)(```+|~~~+)[^]*?^\1?\2[^\n]*$/gm, blank).replace(/(`+)[^`\n][^\n]*?\1/g, blank)
}

/** The anchors that GitHub gives to a page's headings, and those written by hand. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  const body = text.replace(/^( *)(```+|~~~+)[^]*?^\1?\2[^\n]*$/gm, '')
  for (const [, heading] of body.matchAll(/^#{1,6} +(.+?) *#* *$/gm)) {
    const words = heading!.replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/<[^>]*>/g, '')
    const slug = words
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replace(/ /g, '-')
    let anchor = slug
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`
    anchors.add(anchor)
  }
  for (const [, name] of body.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) anchors.add(name!)
  return anchors
}

/** What is wrong with a page's links, a sentence each. `read` gives a file's text, '' for a folder. */
function complaints({ path, text }: SourceFile, read: (path: string) => string | undefined): string[] {
  const page = prose(text)
  const inline = [...page.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+["'][^)]*)?\)/g)]
  const reference = [...page.matchAll(/^ {0,3}\[[^\]^]+\]:\s*<?(\S+?)>?\s*$/gm)]
  const html = [...page.matchAll(/<(?:a|img)\s[^>]*?(?:href|src)="([^"]+)"/g)]
  return [...inline, ...reference, ...html].flatMap((match) => {
    const link = match[1]!
    const place = `${path}:${lineAt(page, match.index)} links to ${link}`
    if (/^[a-z][a-z+.-]*:/i.test(link)) return []
    if (link.startsWith('/')) return [`${place}, which is not relative`]
    const [file, anchor] = link.split('#') as [string, string?]
    const target = file === '' ? path : posix.join(posix.dirname(path), decodeURIComponent(file))
    if (target.startsWith('..')) return [`${place}, which is outside the project`]
    const found = read(target)
    if (found === undefined) return [`${place}, which is not there`]
    if (anchor && target.endsWith('.md') && !anchorsOf(found).has(anchor))
      return [`${place}, a heading not there`]
    return []
  })
}

function readFromDisk(path: string): string | undefined {
  if (!existsSync(ROOT + path)) return undefined
  return statSync(ROOT + path).isDirectory() ? '' : readFileSync(ROOT + path, 'utf8')
}

describe('links in documents', () => {
  it('lead somewhere', () => {
    const pages = [
      { path: 'README.md', text: readFileSync(`${ROOT}README.md`, 'utf8') },
      ...['docs', 'test', 'config', 'bench', 'examples'].flatMap((folder) => filesUnder(folder, '.md')),
    ]
    const found = pages.flatMap((page) => complaints(page, readFromDisk))
    expect(found, found.join('\n')).to.deep.equal([])
  })

  describe('that lead nowhere', () => {
    const files: Record<string, string> = {
      'docs/a.md': '# One page: `x`\n\n## Again\n\n## Again\n\n```\n# no heading\n```\n',
      'docs/b.md': '# B\n<a id="by-hand"></a>',
      src: '',
      'src/a.ts': '',
    }
    const judge = (text: string) =>
      complaints({ path: 'docs/a.md', text: `${files['docs/a.md']}${text}` }, (path) => files[path])

    it('are named with their line', () => {
      expect(
        complaints({ path: 'docs/c.md', text: '# C\n\n[x](gone.md)' }, (path) => files[path]),
      ).to.deep.equal(['docs/c.md:3 links to gone.md, which is not there'])
    })

    it('are found in every form', () => {
      for (const text of [
        '[x](gone.md)',
        '![x](gone.png "title")',
        '[x](b.md#nothing)',
        '[x](b.md#no-heading)',
        '[x](../gone.ts)',
        '[x](../../outside.md)',
        '[x](/src/a.ts)',
        '[x]: gone.md',
        '<img src="gone.png">',
      ]) {
        expect(judge(`\n${text}\n`), text).to.have.length(1)
      }
    })

    it('are told from those that do, and from code', () => {
      for (const text of [
        '[x](b.md) and [y](b.md#b), [z](b.md#by-hand)',
        '[x](../src/a.ts) [y](../src)',
        '[x](https://example.org/gone) [m](mailto:a@example.org)',
        '`[x](gone.md)`',
        '```\n[x](gone.md)\n```',
      ]) {
        expect(judge(`\n${text}\n`), text).to.deep.equal([])
      }
      const own = {
        path: 'docs/a.md',
        text: `${files['docs/a.md']}[1](#one-page-x) [2](#again) [3](#again-1)`,
      }
      expect(complaints(own, () => own.text)).to.deep.equal([])
    })
  })
})
