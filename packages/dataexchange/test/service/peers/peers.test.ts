import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Peer, Peers } from '#lib/service/peers/peers.js'

const UNLIMITED = Number.POSITIVE_INFINITY

for (const maxConnections of [10, UNLIMITED]) {
  test(`a peer that returns soon keeps its state; the peers that left first are forgotten, with at most ${maxConnections} connections`, () => {
    const peers = new Peers({ maxConnections, maxConnectionsPerPeer: UNLIMITED, rates: {} })
    const join = (address: string) => peers.join(address) as Peer
    const stays = join('stays')
    const visits = join('visits')
    peers.leave('visits')
    assert.equal(join('visits'), visits)
    peers.leave('visits')
    for (let i = 0; i < 2000; i++) {
      join(`peer ${i}`)
      peers.leave(`peer ${i}`)
    }
    assert.notEqual(join('visits'), visits)
    assert.equal(join('stays'), stays)
  })
}

test('a peer keeps its state while one of its connections leaves', () => {
  const peers = new Peers({ maxConnections: 3, maxConnectionsPerPeer: 2, rates: {} })
  const peer = peers.join('a')
  assert.equal(peers.join('a'), peer)
  assert.equal(peers.join('a'), 'this peer has too many connections')
  peers.leave('a')
  assert.equal(peers.join('a'), peer)
  peers.join('b')
  assert.equal(peers.join('c'), 'too many connections')
})
