import { expect } from 'chai'
import { folderOf } from './floors.js'
import { codeOf, filesUnder, lineAt, type SourceFile } from './source-tree.js'

/** What would tell a run from another, or ties it to Node: nothing below floor 4 names it. */
const FORBIDDEN: readonly [name: string, pattern: RegExp][] = [
  ['Math.random', /\bMath\s*\.\s*random\b/g],
  ['Date', /(?<![.\w$])Date\b/g],
  ['performance', /(?<![.\w$])performance\s*\??\.(?!\.)/g],
  ['crypto', /(?<![.\w$])crypto\s*\??\.(?!\.)/g],
  ['process', /(?<![.\w$])process\s*\??\.(?!\.)/g],
  ['console', /(?<![.\w$])console\s*\??\.(?!\.)/g],
  ['Buffer', /(?<![.\w$])Buffer\b/g],
  ['globalThis', /(?<![.\w$])globalThis\b/g],
  ['require', /(?<![.\w$])require\s*\(/g],
  ['import.meta', /\bimport\s*\.\s*meta\b/g],
  ['a timer', /(?<![.\w$])(?:set(?:Timeout|Interval|Immediate)|queueMicrotask)\b/g],
]

/** Rooms and furniture handle a message to the end: promises belong to the control plane, floor 3 and up. */
const FORBIDDEN_BELOW_3: readonly [name: string, pattern: RegExp][] = [
  ['async', /(?<![.\w$])async\b/g],
  ['await', /(?<![.\w$])await\b/g],
  ['Promise', /(?<![.\w$])Promise\b/g],
]

function complaints({ path, text }: SourceFile): string[] {
  const floor = folderOf(path)?.floor ?? 0
  if (floor >= 4) return []
  const code = codeOf(text)
  const rules = floor < 3 ? [...FORBIDDEN, ...FORBIDDEN_BELOW_3] : FORBIDDEN
  return rules.flatMap(([name, pattern]) =>
    [...code.matchAll(pattern)].map((match) => `${path}:${lineAt(code, match.index)} uses ${name}`),
  )
}

describe('code below floor 4', () => {
  it('knows no Node, no clock and no chance but what it is given', () => {
    const found = filesUnder('src', '.ts').flatMap(complaints)
    expect(found, found.join('\n')).to.deep.equal([])
  })

  it('is found out wherever it does', () => {
    const judge = (text: string, path = 'src/zones/hash/a.ts') => complaints({ path, text })
    expect(judge('\nconst a = Math.random()')).to.deep.equal(['src/zones/hash/a.ts:2 uses Math.random'])
    for (const text of [
      'const now = Date.now()',
      'return new Date()',
      'performance.now()',
      'crypto.randomUUID()',
      'process.env.HOME',
      'console.log(1)',
      'Buffer.alloc(1)',
      'let bytes: Buffer',
      'setTimeout(f, 1)',
      'setImmediate(f)',
      'queueMicrotask(f)',
      'globalThis.x',
      'import.meta.url',
      'async function f() {}',
      'await f()',
      'new Promise(f)',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: code that is judged
      '`${Date.now()} ${`${1}`}`',
      "const a = 1 / 2 // '\nDate.now()",
      'const r = /[/\'"]/g; Date.now()',
    ]) {
      expect(judge(text), text).to.have.length(1)
    }
  })

  it('may speak of these things', () => {
    const text = [
      '// Math.random and Date.now() are for others',
      '/* process.exit() */',
      "const message = 'await the Date in process.env'",
      '`setTimeout ${a} Buffer`',
      'vio.performance.x; this.process.y; zone.Date',
      'clock.performance(1); private process(vio: number) {}',
      'ArrayBuffer; SharedArrayBuffer; awaiting; updateDate',
    ].join('\n')
    expect(complaints({ path: 'src/base/a.ts', text })).to.deep.equal([])
  })

  it('may promise from floor 3 on, and is free from floor 4 on', () => {
    expect(complaints({ path: 'src/engine/a.ts', text: 'await f()' })).to.deep.equal([])
    expect(complaints({ path: 'src/engine/a.ts', text: 'Date.now()' })).to.have.length(1)
    expect(complaints({ path: 'src/host/a.ts', text: 'Date.now()' })).to.deep.equal([])
  })
})
