import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { AddressError } from '#lib/errors.js'
import {
  Address,
  BROADCAST_NODE,
  decodeAddress,
  encodeAddress,
  formatSocketAddress,
  parseAddress,
  parseSocketAddress,
} from '#lib/pilot/address.js'

interface Vector {
  text: string
  ok: boolean
  network: number
  node: number
  hex?: string
  canonical?: string
}

const vectors = (JSON.parse(readFileSync('test/vectors/frames.json', 'utf8')) as { address: Vector[] })
  .address

describe('address vectors', () => {
  for (const vector of vectors) {
    it(`${JSON.stringify(vector.text)} is ${vector.ok ? 'read' : 'refused'}`, () => {
      if (!vector.ok) {
        assert.throws(() => parseAddress(vector.text), { name: 'AddressError', code: 'ADDRESS_INVALID' })
        return
      }
      const address = parseAddress(vector.text)
      assert.equal(address.network, vector.network)
      assert.equal(address.node, vector.node)
      assert.equal(address.toString(), vector.canonical)
      assert.equal(Buffer.from(encodeAddress(address)).toString('hex'), vector.hex)
      assert.ok(decodeAddress(encodeAddress(address)).equals(address))
    })
  }
})

describe('Address', () => {
  const anyAddress = fc
    .tuple(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 0xffff_ffff }))
    .map(([network, node]) => new Address(network, node))

  it('[address.layout] [address.text] [address.upper] is written as 48 bits, and as text in upper case', () => {
    const address = new Address(10, 0x00a3_f29b)
    assert.equal(Buffer.from(encodeAddress(address)).toString('hex'), '000a00a3f29b')
    assert.equal(address.toString(), '10:000A.00A3.F29B')
  })

  it('[address.lower] [address.network-decimal] is read in lower case too, and with leading zeros', () => {
    assert.ok(parseAddress('10:000a.00a3.f29b').equals(new Address(10, 0x00a3_f29b)))
    assert.ok(parseAddress('0010:000A.00A3.F29B').equals(new Address(10, 0x00a3_f29b)))
  })

  it('survives text and bytes', () => {
    fc.assert(
      fc.property(anyAddress, address => {
        assert.ok(parseAddress(address.toString()).equals(address))
        assert.ok(parseAddress(address.toString().toLowerCase()).equals(address))
        assert.ok(decodeAddress(encodeAddress(address)).equals(address))
      }),
    )
  })

  it('is JSON as its text', () => {
    assert.equal(JSON.stringify(new Address(1, 2)), '"1:0001.0000.0002"')
  })

  it('[address.broadcast] knows broadcast', () => {
    assert.equal(BROADCAST_NODE, 0xffff_ffff)
    assert.ok(new Address(3, BROADCAST_NODE).isBroadcast)
    assert.ok(!new Address(3, 1).isBroadcast)
  })

  it('refuses numbers out of range', () => {
    for (const [network, node] of [
      [-1, 0],
      [0x1_0000, 0],
      [0, -1],
      [0, 2 ** 32],
      [0.5, 0],
      [0, Number.NaN],
    ] as const) {
      assert.throws(() => new Address(network, node), AddressError)
    }
  })
})

describe('texts that are no address', () => {
  const refuse = (...texts: string[]) => {
    for (const text of texts) assert.throws(() => parseAddress(text), { code: 'ADDRESS_INVALID' }, text)
  }

  it('[address.mismatch] two networks that differ', () =>
    refuse('2:0001.0000.0001', '10:0010.0000.0001', '0:FFFF.0000.0001'))
  it('[address.network-range] a network over 65535', () =>
    refuse('65536:0000.0000.0001', '65537:0001.0000.0001'))
  it('[address.network-decimal] a network that is not decimal', () =>
    refuse(
      ':0000.0000.0001',
      '-1:FFFF.0000.0001',
      '+1:0001.0000.0001',
      '0x1:0001.0000.0001',
      'A:000A.0000.0001',
    ))
  it('[address.groups] more or fewer than three groups', () =>
    refuse(
      '',
      '0',
      '0:',
      '0:0000',
      '0:0000.0000',
      '0:0000.0000.0000.0001',
      '0:0000.0000.0001.',
      '0:0000:0000.0001',
    ))
  it('[address.digits] groups of other than four hexadecimal digits', () =>
    refuse(
      '0:000.0000.0001',
      '0:0000.00000.0001',
      '0:0000.0000.1',
      '0:0000.0000.000G',
      '0:0000..0001',
      '0:0000.-001.0001',
    ))
  it('[address.junk] anything before or after', () =>
    refuse(
      ' 0:0000.0000.0001',
      '0:0000.0000.0001 ',
      '0:0000.0000.0001\n',
      '0:0000.0000.0001:1001',
      'x0:0000.0000.0001',
    ))
})

describe('socket addresses', () => {
  it('[address.port] are read and written', () => {
    const parsed = parseSocketAddress('1:0001.00a3.f291:1001')
    assert.equal(parsed.port, 1001)
    assert.equal(formatSocketAddress(parsed), '1:0001.00A3.F291:1001')
  })

  for (const text of [
    '',
    '1001',
    '0:0000.0000.0001',
    '0:0000.0000.0001:',
    '0:0000.0000.0001:65536',
    '0:0000.0000.0001:-1',
    '0:0000.0000.0001:+1',
    '0:0000.0000.0001:1e3',
    '0:0000.0000.0001:0x1',
    '0:0000.0000.0001: 1',
  ]) {
    it(`[address.port-range] ${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => parseSocketAddress(text), { code: 'ADDRESS_INVALID' })
    })
  }
})
