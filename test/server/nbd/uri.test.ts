import { expect } from 'chai'
import fc from 'fast-check'

import { formatNbdUri, type NbdAddress, parseNbdUri } from '../../../src/server/nbd/uri.js'

describe('NBD addresses', () => {
  const read: [string, NbdAddress][] = [
    ['nbd://', { kind: 'tcp', host: '127.0.0.1', port: 10809, name: '' }],
    ['nbd://localhost', { kind: 'tcp', host: 'localhost', port: 10809, name: '' }],
    ['NBD://host:1/', { kind: 'tcp', host: 'host', port: 1, name: '' }],
    ['nbd://host:/a/b%20c', { kind: 'tcp', host: 'host', port: 10809, name: 'a/b c' }],
    ['nbd://[::1]:99/x', { kind: 'tcp', host: '::1', port: 99, name: 'x' }],
    ['nbd://0.0.0.0:0', { kind: 'tcp', host: '0.0.0.0', port: 0, name: '' }],
    ['nbd+unix:///?socket=/run/a.sock', { kind: 'unix', path: '/run/a.sock', name: '' }],
    ['nbd+unix:///n%C3%A4me?socket=%2Ftmp%2Fa%20b', { kind: 'unix', path: '/tmp/a b', name: 'näme' }],
  ]
  for (const [text, address] of read) {
    it(`reads ${text}`, () => {
      expect(parseNbdUri(text)).to.deep.equal(address)
    })
  }

  const refused: [string, RegExp][] = [
    ['', /starts with neither/],
    ['localhost:10809', /starts with neither/],
    ['http://a/', /starts with neither/],
    ['nbds://a/', /TLS is not supported/],
    ['nbd://a:70000/', /port 70000 is above 65535/],
    ['nbd://a:b/', /is not a host and a port/],
    ['nbd://me@a/', /is not a host and a port/],
    ['nbd://a/#x', /fragment/],
    ['nbd://a/%ff', /percent-encoded/],
    ['nbd://a/?socket=/x', /needs the scheme/],
    ['nbd+unix:///', /socket=PATH/],
    ['nbd+unix://host/?socket=/x', /three slashes/],
  ]
  for (const [text, why] of refused) {
    it(`refuses '${text}' and says why`, () => {
      expect(() => parseNbdUri(text))
        .to.throw(why)
        .with.property('code', 'VDO_BAD_URI')
    })
  }

  it('are read back as they were printed', () => {
    const name = fc.string({ unit: 'grapheme', maxLength: 20 })
    const tcp = fc.record({
      kind: fc.constant('tcp' as const),
      host: fc.constantFrom('localhost', '10.1.2.3', '::1', 'fe80::1'),
      port: fc.integer({ min: 0, max: 65535 }),
      name,
    })
    const unix = fc.record({
      kind: fc.constant('unix' as const),
      path: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      name,
    })
    fc.assert(
      fc.property(fc.oneof(tcp, unix), (address) => {
        expect(parseNbdUri(formatNbdUri(address))).to.deep.equal(address)
      }),
      { seed: 7 },
    )
  })
})
