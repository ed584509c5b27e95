import { expect } from 'chai'
import { filesUnder } from './source-tree.js'

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*$/

describe('source files', () => {
  it('and their folders have names in kebab case', () => {
    const files = ['src', 'workers', 'test', 'bench', 'assembly', 'config'].flatMap((folder) => [
      ...filesUnder(folder, '.ts'),
      ...filesUnder(folder, '.yaml'),
    ])
    const found = files
      .map(({ path }) => path)
      .filter(
        (path) =>
          !path
            .replace(/(?:\.test|\.long|\.d)?\.(?:ts|yaml)$/, '')
            .split('/')
            .every((part) => KEBAB.test(part)),
      )
    expect(found).to.deep.equal([])
  })

  it('open by saying what they are', () => {
    const files = ['src', 'workers', 'bench', 'assembly'].flatMap((folder) => filesUnder(folder, '.ts'))
    const found = files.filter(({ text }) => !/^(?:#![^\n]*\n+)?\/[*/]/.test(text)).map(({ path }) => path)
    expect(found).to.deep.equal([])
  })
})
