import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf, parseTarget, resolveTarget } from '#lib/client/target.js'
import { Address } from '#lib/pilot/address.js'

const asked: string[] = []
const resolver = {
  resolve: async (name: string) => {
    asked.push(name)
    return new Address(0, 99)
  },
}

test('a target is an address, a node id or a hostname', async () => {
  assert.equal(String(await resolveTarget(resolver, '1:0001.00a3.f291')), '1:0001.00A3.F291')
  assert.equal(String(await resolveTarget(resolver, '12345')), '0:0000.0000.3039')
  assert.deepEqual(asked, [])
  assert.equal(String(await resolveTarget(resolver, 'agent-7')), '0:0000.0000.0063')
  assert.deepEqual(asked, ['agent-7'])
})

test('a bad address says which part is wrong, and is not looked up', async () => {
  asked.length = 0
  await assert.rejects(resolveTarget(resolver, '1:0002.0000.0001'), {
    code: 'ADDRESS_INVALID',
    message: /1 before the colon and 2/,
  })
  await assert.rejects(resolveTarget(resolver, '99999999999'), {
    code: 'ADDRESS_INVALID',
    message: /node 99999999999/,
  })
  assert.deepEqual(asked, [])
})

test('a target is parsed without a daemon: an address of any case, a node id, or a hostname', () => {
  assert.deepEqual(parseTarget('1:0001.00a3.f291'), new Address(1, 0x00a3f291))
  assert.deepEqual(parseTarget('7'), new Address(0, 7))
  assert.deepEqual(parseTarget('Agent-7'), { hostname: 'Agent-7' })
  for (const empty of ['', ' ']) assert.throws(() => parseTarget(empty), { code: 'ADDRESS_INVALID' })
})

test('a hostname is refused at once if nobody can resolve it', async () => {
  const refused = { code: 'ADDRESS_INVALID', message: /"agent-7" is a hostname/ }
  await assert.rejects(resolveTarget({}, 'agent-7'), refused)
  assert.throws(() => addressOf('agent-7'), refused)
  assert.equal(String(addressOf('0:0000.0000.00ff')), '0:0000.0000.00FF')
  assert.equal(await resolveTarget({}, addressOf('5')).then(String), '0:0000.0000.0005')
})
