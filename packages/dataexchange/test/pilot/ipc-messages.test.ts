import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat, utf8 } from '#lib/bytes.js'
import { FIXED_LIMITS } from '#lib/limits.js'
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

/** The bytes of one message. */
function bytes(command: number, ...payload: Uint8Array[]): string {
  return hex(concat(encodeMessage(command, ...payload)))
}

describe('IPC messages', () => {
  it('[ipc.framing] count their length from the command', () => {
    assert.equal(bytes(0x99), '00000001' + '99')
    assert.equal(bytes(0x99, utf8('abc'), utf8('d')), '00000005' + '99' + '61626364')
  })

  it('[ipc.bind] [ipc.unbind] BIND, UNBIND and their replies carry a port', () => {
    assert.equal(bytes(Command.Bind, encodePort(1001)), '00000003' + '01' + '03e9')
    assert.equal(bytes(Command.BindOk, encodePort(1001)), '00000003' + '02' + '03e9')
    assert.equal(bytes(Command.Unbind, encodePort(1001)), '00000003' + '37' + '03e9')
    assert.equal(bytes(Command.UnbindOk, encodePort(1001)), '00000003' + '38' + '03e9')
  })

  it('[ipc.dial] DIAL carries an address and a port, DIAL-OK a connection id', () => {
    const dial = encodeDial(remote.address, 1001)
    assert.equal(bytes(Command.Dial, dial), '00000009' + '03' + '000212345678' + '03e9')
    assert.equal(bytes(Command.DialOk, encodeConnId(7)), '00000005' + '04' + '00000007')
  })

  it('[ipc.accept] ACCEPT carries local port, connection id, remote address and remote port', () => {
    const accepted = encodeAccept({ localPort: 1001, connId: 7, remote })
    const payload = '03e9' + '00000007' + '000212345678' + '9c40'
    assert.equal(bytes(Command.Accept, accepted), `0000000f05${payload}`)
  })

  it('[ipc.send] [ipc.recv] SEND and RECV carry a connection id and data', () => {
    assert.equal(bytes(Command.Send, encodeConnId(7), utf8('abc')), '00000008' + '06' + '00000007' + '616263')
    assert.equal(bytes(Command.Recv, encodeConnId(7), utf8('abc')), '00000008' + '07' + '00000007' + '616263')
  })

  it('[ipc.close] CLOSE and CLOSE-OK carry a connection id', () => {
    assert.equal(bytes(Command.Close, encodeConnId(7)), '00000005' + '08' + '00000007')
    assert.equal(bytes(Command.CloseOk, encodeConnId(7)), '00000005' + '09' + '00000007')
  })

  it('[ipc.error] ERROR carries a code and a message', () => {
    assert.equal(bytes(Command.Error, encodeError(1, 'no')), '00000005' + '0a' + '0001' + '6e6f')
  })

  it('[ipc.info] [ipc.resolve] [ipc.set-hostname] [ipc.health] [ipc.cancel] the other commands have their numbers', () => {
    const { Info, InfoOk, ResolveHostname, ResolveHostnameOk, SetHostname, SetHostnameOk } = Command
    assert.deepEqual([Info, InfoOk], [0x0d, 0x0e])
    assert.deepEqual([ResolveHostname, ResolveHostnameOk], [0x11, 0x12])
    assert.deepEqual([SetHostname, SetHostnameOk], [0x13, 0x14])
    assert.deepEqual([Command.Health, Command.HealthOk], [0x21, 0x22])
    assert.equal(bytes(Command.Cancel), '00000001' + '2b')
  })
})

describe('IPC payloads', () => {
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

  it('[ipc.split] finds the same wherever the input is split', () => {
    for (let at = 0; at <= stream.length; at += 1) {
      const decoder = new IpcDecoder()
      const messages = [...decoder.push(stream.subarray(0, at)), ...decoder.push(stream.subarray(at))]
      assert.deepEqual(plain(messages), whole, `split at ${at}`)
    }
    const bytewise = new IpcDecoder()
    assert.deepEqual(plain([...stream].flatMap(byte => bytewise.push(Uint8Array.of(byte)))), whole)
  })

  it('[ipc.split] finds any messages in any pieces', () => {
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

  it('[ipc.max-message] takes 1 MiB, counted from the command, and no more', () => {
    const most = FIXED_LIMITS.ipcMessage.value
    const [full] = new IpcDecoder().push(concat(encodeMessage(Command.Recv, new Uint8Array(most - 1))))
    assert.equal(full?.payload.length, most - 1)
    const [header] = encodeMessage(Command.Recv, new Uint8Array(most))
    assert.throws(() => new IpcDecoder().push(header as Uint8Array), NOT_PILOT)
  })

  it('[ipc.no-command] refuses a message without a command', () => {
    assert.throws(() => new IpcDecoder().push(new Uint8Array(4)), NOT_PILOT)
  })
})
