import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { FOLDERS, folderOf } from './floors.js'
import { filesUnder, importsOf, ROOT, type SourceFile } from './source-tree.js'

/** What is wrong with where a file is or with what it imports, a sentence each. */
function complaints(file: SourceFile, exists: (path: string) => boolean): string[] {
  const folder = folderOf(file.path)
  if (folder === undefined) return [`${file.path} is in no folder of the house`]
  return importsOf(file).flatMap(({ line, specifier, target }) => {
    const place = `${file.path}:${line} imports ${specifier}`
    if (target === undefined) {
      return folder.floor < 4 ? [`${place}, a package, from below floor 4`] : []
    }
    if (!specifier.endsWith('.js')) return [`${place} without .js`]
    if (!exists(target)) return [`${place}, which is not there`]
    if (target.startsWith(folder.path) || folder.mayImport.some((allowed) => target.startsWith(allowed))) {
      return []
    }
    return [`${place}, which ${folder.path} may not`]
  })
}

describe('the floors of the house', () => {
  it('are climbed by no import', () => {
    const files = [...filesUnder('src', '.ts'), ...filesUnder('workers', '.ts')]
    expect(files.length).to.be.greaterThan(0)
    const found = files.flatMap((file) => complaints(file, (path) => existsSync(ROOT + path)))
    expect(found, found.join('\n')).to.deep.equal([])
  })

  it('are above each other, room by room', () => {
    for (const { path, floor, mayImport } of FOLDERS) {
      for (const allowed of mayImport.filter((each) => floor < 4 && each.endsWith('/'))) {
        const below = FOLDERS.filter((each) => each.path.startsWith(allowed))
        for (const each of below) expect(each.floor, `${path} on ${each.path}`).to.be.at.most(floor)
      }
    }
  })

  describe('when an import climbs', () => {
    const judge = (path: string, text: string) => complaints({ path, text }, () => true)

    it('name the file, the line and the import', () => {
      const text = `/** A map. */\n\nimport { VioTable } from '../vio/vio-table.js'\n`
      expect(judge('src/base/map.ts', text)).to.deep.equal([
        'src/base/map.ts:3 imports ../vio/vio-table.js, which src/base/ may not',
      ])
    })

    it('see every way to import', () => {
      for (const text of [
        `import type { Slab } from '../physical/slab.js'`,
        `import '../physical/slab.js'`,
        `export * from '../physical/slab.js'`,
        `import {\n  a,\n  b\n} from "../physical/slab.js"`,
        `const slab = await import('../physical/slab.js')`,
        `let slab: typeof import('../physical/slab.js')`,
      ]) {
        expect(judge('src/zones/hash/hash-zone.ts', text), text).to.have.length(1)
      }
    })

    it('keep rooms and drivers strangers', () => {
      expect(judge('src/zones/logical/a.ts', `import '../journal/b.js'`)).to.have.length(1)
      expect(judge('src/uds/a.ts', `import '../zones/hash/b.js'`)).to.have.length(1)
      expect(judge('src/host/a.ts', `import '../sim/b.js'`)).to.have.length(1)
      expect(judge('src/sim/a.ts', `import '../host/b.js'`)).to.have.length(1)
      expect(judge('src/server/nbd/a.ts', `import '../../observe/b.js'`)).to.have.length(1)
      expect(judge('src/vio/a.ts', `import '../format/super-block.js'`)).to.have.length(1)
      expect(judge('src/engine/a.ts', `import '../host/b.js'`)).to.have.length(1)
    })

    it('refuse packages below floor 4, files out of place, and files that are not there', () => {
      expect(judge('src/engine/a.ts', `import { readSync } from 'node:fs'`)).to.have.length(1)
      expect(judge('src/format/a.ts', `import { z } from 'zod'`)).to.have.length(1)
      expect(judge('src/index.ts', '')).to.deep.equal(['src/index.ts is in no folder of the house'])
      expect(judge('src/zones/attic/a.ts', '')).to.have.length(1)
      expect(complaints({ path: 'src/base/a.ts', text: `import './b.js'` }, () => false)).to.have.length(1)
    })

    it('let imports go down, and what is only written about pass', () => {
      expect(judge('src/zones/hash/a.ts', `import '../../vio/vio-table.js'\nimport './b.js'`)).to.deep.equal(
        [],
      )
      expect(
        judge('src/server/nbd/a.ts', `import '../../engine/volume.js'\nimport 'node:net'`),
      ).to.deep.equal([])
      expect(judge('src/cli/a.ts', `import '../sim/b.js'\nimport '../host/c.js'`)).to.deep.equal([])
      expect(judge('src/base/a.ts', `// import '../vio/b.js'\n/* from '../vio/c.js' */`)).to.deep.equal([])
      expect(judge('src/base/a.ts', `export const MAGIC = Uint8Array.from('abc')\nfrom('x')`)).to.deep.equal(
        [],
      )
    })
  })
})
