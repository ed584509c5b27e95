import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { filesUnder } from '../house/source-tree.js'
import { ROOT } from '../tools.js'

describe('exit statuses', () => {
  it('are chosen for every code of an error', () => {
    const table = readFileSync(join(ROOT, 'src/cli/exit-status.ts'), 'utf8')
    const codes = filesUnder('src', '.ts').flatMap(({ text }) =>
      [...text.matchAll(/'(VDO_[A-Z_]+)'/g)].map(([, code]) => code ?? ''),
    )
    const missing = new Set(codes.filter((code) => !table.includes(`  ${code}:`)))
    missing.delete('VDO_SUCCESS')
    expect([...missing]).to.deep.equal([])
  })
})
