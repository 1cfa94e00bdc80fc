import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeInfoFrom } from '#lib/pilot/node-info.js'

describe('nodeInfoFrom', () => {
  it('takes what the daemon tells, and keeps the rest', () => {
    const raw = {
      node_id: 10_744_465,
      address: '1:0001.00A3.F291',
      hostname: 'alice',
      uptime_secs: 61,
      version: '1.9.1',
      features: ['key_request', 7],
      peers: 3,
    }
    const info = nodeInfoFrom(raw)
    assert.equal(String(info.address), '1:0001.00A3.F291')
    assert.deepEqual(
      { ...info, address: undefined, raw: undefined },
      {
        nodeId: 10_744_465,
        address: undefined,
        hostname: 'alice',
        uptimeSecs: 61,
        version: '1.9.1',
        features: ['key_request'],
        raw: undefined,
      },
    )
    assert.equal(info.raw.peers, 3)
  })

  it('makes do with an answer that holds little or nonsense', () => {
    assert.equal(String(nodeInfoFrom({ node_id: 258 }).address), '0:0000.0000.0102')
    assert.equal(nodeInfoFrom({ address: '0:0000.0000.0007' }).nodeId, 7)
    const info = nodeInfoFrom({
      node_id: -1,
      address: 'here',
      hostname: 5,
      uptime_secs: '1',
      version: null,
      features: {},
    })
    assert.equal(String(info.address), '0:0000.0000.0000')
    assert.deepEqual(
      [info.nodeId, info.hostname, info.uptimeSecs, info.version, info.features],
      [0, '', 0, '', []],
    )
  })
})
