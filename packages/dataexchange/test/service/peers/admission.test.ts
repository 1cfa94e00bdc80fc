import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Address } from '#lib/pilot/address.js'
import { type AcceptHook, Admission, type AdmissionRules } from '#lib/service/peers/admission.js'

const text = () => ({ type: 'TEXT', size: 1 })

async function isAdmitted(rules: AdmissionRules, network: number, node: number): Promise<boolean> {
  return (await new Admission(rules).refusal(new Address(network, node), undefined, text)) === undefined
}

test('without rules every sender is admitted', async () => {
  assert.equal(await isAdmitted({}, 1, 2), true)
})

test('allow lists addresses and networks; all other senders are refused', async () => {
  const rules = { allow: ['0:0000.0000.0001', '7:*'] }
  assert.equal(await isAdmitted(rules, 0, 1), true)
  assert.equal(await isAdmitted(rules, 0, 2), false)
  assert.equal(await isAdmitted(rules, 7, 99), true)
  assert.equal(await isAdmitted({ allow: [] }, 0, 1), false)
})

test('deny wins over allow', async () => {
  const rules = { allow: ['7:*'], deny: ['7:0007.0000.0002'] }
  assert.equal(await isAdmitted(rules, 7, 1), true)
  assert.equal(await isAdmitted(rules, 7, 2), false)
})

test('the hook receives a description of the frame and returns the reason of a refusal', async () => {
  const address = new Address(0, 1)
  const seen: unknown[] = []
  const admission = new Admission({
    accept: async frame => {
      seen.push(frame)
      return frame.size < 10 || 'too long for me'
    },
  })
  assert.equal(await admission.refusal(address, undefined, () => ({ type: 'TEXT', size: 5 })), undefined)
  const file = { type: 'FILE', size: 50, filename: 'a.txt' }
  assert.equal(await admission.refusal(address, undefined, () => file), 'too long for me')
  assert.deepEqual(seen[1], { address, ...file })
})

test('a hook that returns neither true nor a reason refuses the frame', async () => {
  for (const decision of [undefined, null, false, 1, '']) {
    const admission = new Admission({ accept: (() => decision) as unknown as AcceptHook })
    assert.equal(await admission.refusal(new Address(0, 1), undefined, text), 'not accepted')
  }
})

test('the trust checker of the host decides, if there is one', async () => {
  const trust = { isTrusted: (node: number) => node === 1, displayName: () => undefined }
  const admission = new Admission({})
  assert.equal(await admission.refusal(new Address(0, 1), trust, text), undefined)
  assert.equal(await admission.refusal(new Address(0, 2), trust, text), 'this sender is not trusted')
})

test('without a hook no frame is described', async () => {
  const describe = () => assert.fail('nobody reads the description')
  assert.equal(await new Admission({}).refusal(new Address(0, 1), undefined, describe), undefined)
})

test('an entry that is neither an address nor a network is an error that names it', () => {
  for (const entry of ['7', '*', '7:0008.0000.0001', 'agent', '65536:*', '99999:*']) {
    assert.throws(() => new Admission({ deny: [entry] }), {
      code: 'CONFIG_INVALID',
      message: new RegExp(`"${entry.replace('*', '\\*')}"`),
    })
  }
})
