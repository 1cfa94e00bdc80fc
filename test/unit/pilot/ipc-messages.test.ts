import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat, utf8 } from '#lib/bytes.js'
import { LIMITS } from '#lib/limits.js'
import { Address } from '#lib/pilot/address.js'
import {
  Command,
  decodeAccept,
  decodeConnId,
  decodeDial,
  decodeError,
  decodeJson,
  decodePort,
  encodeAccept,
  encodeConnId,
  encodeDial,
  encodeError,
  encodeMessage,
  encodePort,
  IpcDecoder,
  type IpcMessage,
} from '#lib/pilot/ipc-messages.js'

const NOT_PILOT = { name: 'DriverError', code: 'DAEMON_NOT_PILOT' }
const remote = { address: new Address(2, 0x1234_5678), port: 40_000 }

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function plain(messages: IpcMessage[]): { command: number; payload: string }[] {
  return messages.map(({ command, payload }) => ({ command, payload: hex(payload) }))
}

describe('IPC payloads', () => {
  it('are laid out as section 8 says', () => {
    assert.equal(hex(concat(encodeMessage(Command.Bind, encodePort(1001)))), '000000030103e9')
    assert.equal(hex(concat(encodeMessage(Command.Cancel))), '000000012b')
    assert.equal(hex(encodeDial(remote.address, 1001)), '00021234567803e9')
    assert.equal(hex(encodeAccept({ localPort: 1001, connId: 7, remote })), '03e9000000070002123456789c40')
    assert.equal(hex(encodeError(1, 'no')), '00016e6f')
  })

  it('are read back', () => {
    assert.equal(decodePort(encodePort(65_535)), 65_535)
    assert.equal(decodeConnId(encodeConnId(0xffff_fffe)), 0xffff_fffe)
    assert.deepEqual(decodeDial(encodeDial(remote.address, 9)), { address: remote.address, port: 9 })
    const accepted = { localPort: 1001, connId: 7, remote }
    assert.deepEqual(decodeAccept(encodeAccept(accepted)), accepted)
    assert.deepEqual(decodeError(encodeError(3, 'wörse')), { code: 3, message: 'wörse' })
    assert.deepEqual(decodeJson(utf8('{"node_id":7}')), { node_id: 7 })
  })

  it('that are too short or no JSON are refused', () => {
    for (const decode of [decodePort, decodeConnId, decodeDial, decodeAccept, decodeError]) {
      assert.throws(() => decode(new Uint8Array(1)), NOT_PILOT)
    }
    for (const text of ['', 'x', '7', 'null']) assert.throws(() => decodeJson(utf8(text)), NOT_PILOT)
  })
})

describe('IpcDecoder', () => {
  const stream = concat([
    ...encodeMessage(Command.Recv, encodeConnId(7), utf8('abc')),
    ...encodeMessage(Command.Cancel),
    ...encodeMessage(Command.Error, encodeError(1, 'no')),
  ])
  const whole = plain(new IpcDecoder().push(stream))

  it('finds the messages of one chunk', () => {
    assert.deepEqual(
      whole.map(({ command }) => command),
      [Command.Recv, Command.Cancel, Command.Error],
    )
    assert.equal(whole[0]?.payload, '00000007616263')
    assert.equal(whole[1]?.payload, '')
  })

  it('finds the same wherever the input is split', () => {
    for (let at = 0; at <= stream.length; at += 1) {
      const decoder = new IpcDecoder()
      const messages = [...decoder.push(stream.subarray(0, at)), ...decoder.push(stream.subarray(at))]
      assert.deepEqual(plain(messages), whole, `split at ${at}`)
    }
    const bytewise = new IpcDecoder()
    assert.deepEqual(plain([...stream].flatMap(byte => bytewise.push(Uint8Array.of(byte)))), whole)
  })

  it('finds any messages in any pieces', () => {
    const anyMessage = fc.record({ command: fc.nat(255), payload: fc.uint8Array({ maxLength: 40 }) })
    fc.assert(
      fc.property(fc.array(anyMessage), fc.array(fc.nat(50)), (messages, cuts) => {
        let rest = concat([
          new Uint8Array(0),
          ...messages.flatMap(({ command, payload }) => encodeMessage(command, payload)),
        ])
        const decoder = new IpcDecoder()
        const found: IpcMessage[] = []
        for (const cut of cuts) {
          found.push(...decoder.push(rest.subarray(0, cut)))
          rest = rest.subarray(cut)
        }
        found.push(...decoder.push(rest))
        assert.deepEqual(plain(found), plain(messages))
      }),
    )
  })

  it('takes 1 MiB, counted from the command, and no more', () => {
    const most = LIMITS.ipcMessage.value
    const [full] = new IpcDecoder().push(concat(encodeMessage(Command.Recv, new Uint8Array(most - 1))))
    assert.equal(full?.payload.length, most - 1)
    const [header] = encodeMessage(Command.Recv, new Uint8Array(most))
    assert.throws(() => new IpcDecoder().push(header as Uint8Array), NOT_PILOT)
  })

  it('refuses a message without a command', () => {
    assert.throws(() => new IpcDecoder().push(new Uint8Array(4)), NOT_PILOT)
  })
})
