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

  it('knows broadcast', () => {
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

describe('socket addresses', () => {
  it('are read and written', () => {
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
  ]) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => parseSocketAddress(text), { code: 'ADDRESS_INVALID' })
    })
  }
})
