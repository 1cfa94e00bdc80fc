import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Address } from '#lib/pilot/address.js'
import { type AcceptHook, Admission, type AdmissionRules } from '#lib/service/peers/admission.js'

const request = (network: number, node: number) => ({
  address: new Address(network, node),
  type: 'TEXT',
  size: 1,
})

async function admitted(rules: AdmissionRules, network: number, node: number): Promise<boolean> {
  return (await new Admission(rules).refusal(request(network, node), undefined)) === undefined
}

test('without rules everybody may send', async () => {
  assert.equal(await admitted({}, 1, 2), true)
})

test('allow names addresses and networks; all others may not send', async () => {
  const rules = { allow: ['0:0000.0000.0001', '7:*'] }
  assert.equal(await admitted(rules, 0, 1), true)
  assert.equal(await admitted(rules, 0, 2), false)
  assert.equal(await admitted(rules, 7, 99), true)
  assert.equal(await admitted({ allow: [] }, 0, 1), false)
})

test('deny wins over allow', async () => {
  const rules = { allow: ['7:*'], deny: ['7:0007.0000.0002'] }
  assert.equal(await admitted(rules, 7, 1), true)
  assert.equal(await admitted(rules, 7, 2), false)
})

test('the hook sees what is to be stored, and gives the reason of a refusal', async () => {
  const seen: unknown[] = []
  const admission = new Admission({
    accept: async frame => {
      seen.push(frame)
      return frame.size < 10 || 'too long for me'
    },
  })
  assert.equal(await admission.refusal({ ...request(0, 1), size: 5 }, undefined), undefined)
  const file = { ...request(0, 1), type: 'FILE', size: 50, filename: 'a.txt' }
  assert.equal(await admission.refusal(file, undefined), 'too long for me')
  assert.equal(seen[1], file)
})

test('a hook that gives neither true nor a reason refuses', async () => {
  for (const decision of [undefined, null, false, 1, '']) {
    const admission = new Admission({ accept: (() => decision) as unknown as AcceptHook })
    assert.equal(await admission.refusal(request(0, 1), undefined), 'not accepted')
  }
})

test('the trust checker of the host is asked where there is one', async () => {
  const trust = { isTrusted: (node: number) => node === 1, displayName: () => undefined }
  const admission = new Admission({})
  assert.equal(await admission.refusal(request(0, 1), trust), undefined)
  assert.equal(await admission.refusal(request(0, 2), trust), 'this sender is not trusted')
})

test('an entry that is no address and no network is an error that names it', () => {
  for (const entry of ['7', '*', '7:0008.0000.0001', 'agent', '65536:*', '99999:*']) {
    assert.throws(() => new Admission({ deny: [entry] }), {
      code: 'CONFIG_INVALID',
      message: new RegExp(`"${entry.replace('*', '\\*')}"`),
    })
  }
})
