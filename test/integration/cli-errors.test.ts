import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { LIMITS } from '#lib/limits.js'
import { Driver } from '#lib/pilot/driver.js'
import type { Stream } from '#lib/pilot/transport.js'
import { encodeFrame } from '#lib/wire/encode.js'
import { FrameType } from '#lib/wire/frame.js'
import { Sandbox } from '../helpers/cli.js'

/** A node of this process: its peers play what a test needs. */
const box = new Sandbox({ after })
const { dir } = box
const file = join(dir, 'file')
let address = ''
let driver: Driver

before(async () => {
  writeFileSync(file, 'content')
  const directory = join(dir, 'nodes')
  const daemon = await EmbeddedDaemon.start({ socketPath: box.socket, hostname: 'peer', directory })
  address = daemon.address.toString()
  driver = await Driver.connect(box.socket)
  stop = async () => {
    await driver.close()
    await daemon.close()
  }
})

let stop = async () => {}
after(() => stop())

/** Listens on port 1001 and does `serve` with the streams that come, while `use` runs. */
async function withService(serve: (stream: Stream) => void, use: () => Promise<void>): Promise<void> {
  const listener = await driver.listen(1001)
  const accepting = (async () => {
    for await (const stream of listener) serve(stream)
  })()
  try {
    await use()
  } finally {
    await listener.close()
    await accepting
  }
}

function answering(text: string): (stream: Stream) => void {
  const answer = Buffer.concat(encodeFrame({ type: FrameType.Text, payload: Buffer.from(text) }))
  return stream => stream.once('data', () => stream.write(answer))
}

const usage: [what: string, args: string[], message: RegExp, input?: Uint8Array][] = [
  ['an unknown verb', ['send-mesage'], /unknown command 'send-mesage'/],
  ['an unknown flag', ['send-message', 'x', 'y', '--dta', 'z'], /unknown option '--dta'/],
  ['a missing argument', ['send-file', 'x'], /missing required argument 'path'/],
  ['an argument too many', ['status', 'x'], /too many arguments/],
  ['no message', ['send-message', 'x'], /there is no message/],
  ['two messages', ['send-message', 'x', 'y', '--data', 'z'], /more than once/],
  ['an empty message', ['send-message', 'x', '--data', ''], /the message is empty/],
  ['an empty stdin', ['send-message', 'x', '-'], /the message is empty/],
  ['an empty target', ['send-message', '', 'y'], /the target is empty/],
  ['a text that is not UTF-8', ['send-message', 'x', '-'], /not UTF-8/, Buffer.from([0xff])],
  ['invalid JSON', ['send-message', 'x', '{', '--type', 'json'], /not JSON/],
  ['an unknown type', ['send-message', 'x', 'y', '--type', 'xml'], /Allowed choices are text, json, binary/],
  ['a count of zero', ['send-message', 'x', 'y', '--count', '0'], /1 or more/],
  ['a duration without a unit', ['send-message', 'x', 'y', '--timeout', '30'], /30s, 30m or 30h/],
  ['an invalid duration', ['trace', 'x', '--interval', 'soon'], /90s, 15m/],
  ['a negative duration', ['trace', 'x', '--timeout', '-5s'], /90s, 15m/],
  ['an invalid size', ['serve', '--max-frame', 'big'], /64MiB/],
  ['an invalid time', ['inbox', '--since', '2026-01-31 12:00'], /RFC|2026-01-31T12:00:00Z/],
  ['a bad network', ['send-message', 'x:0000.0000.0001', 'y'], /the network "x" is not a decimal number/],
  ['a bad group', ['send-message', '0:0000.0000.00G1', 'y'], /"00G1" is not 4 hexadecimal digits/],
  ['networks that differ', ['send-message', '1:0002.0000.0001', 'y'], /1 before the colon and 2 after it/],
  ['a node id that is too large', ['send-message', '4294967296', 'y'], /node 4294967296 is not 0 to/],
  ['a bad address to filter by', ['inbox', '--from', 'alice'], /the colon after the network is missing/],
  ['a device as a file', ['send-file', 'x', '/dev/null'], /not a regular file/],
  ['a folder as a message', ['send-message', 'x', '--data-file', dir], /a folder, not a file/],
  ['a name over 255 bytes', ['send-file', 'x', file, '--name', 'é'.repeat(128)], /256|255/],
  ['a name with a separator', ['send-file', 'x', file, '--name', '../x'], /holds|separator|\//],
  ['an empty name', ['send-file', 'x', file, '--name', ''], /file name is empty/],
  ['--before without --clear', ['inbox', '--before', '1h'], /--before goes with --clear/],
  ['--before without --clear', ['received', '--before', '1h'], /--before goes with --clear/],
  ['--clear with --since', ['inbox', '--clear', '--since', '1h'], /cannot be used with option '--since/],
  ['--clear with --since', ['received', '--clear', '--since', '1h'], /cannot be used with option '--since/],
  ['--watch with --clear', ['inbox', '--watch', '--clear'], /cannot be used with/],
]

for (const [what, args, message, input] of usage) {
  test(`${what} is exit code 2: ${args.join(' ').slice(0, 60)}`, async () => {
    const error = await box.fails(args, input)
    assert.equal(error.exit, 2)
    assert.equal(error.code, 'invalid_argument')
    assert.match(error.message, message)
  })
}

test('a file that is not there is exit code 2, before anybody is asked', async () => {
  for (const args of [
    ['send-file', 'x', join(dir, 'none')],
    ['send-message', 'x', '--data-file', join(dir, 'none')],
  ]) {
    const { exit, code, error_code: library, message } = await box.fails(args)
    assert.deepEqual([exit, code, library], [2, 'not_found', 'SOURCE_UNREADABLE'])
    assert.match(message, /there is no such file/)
  }
})

test('what is over the cap is refused before a byte is sent', async () => {
  const small = new Sandbox({ after })
  small.env.PILOT_DATAEXCHANGE_MAX_FRAME = '65536'
  const big = join(dir, 'big')
  writeFileSync(big, Buffer.alloc(65_537))
  for (const args of [
    ['send-message', address, '--data-file', big, '--type', 'binary'],
    ['send-message', address, '--data', '-', '--type', 'binary'],
    ['send-file', address, big, '--no-stream'],
  ]) {
    const error = await small.fails(args, Buffer.alloc(65_537))
    assert.deepEqual([error.exit, error.error_code], [2, 'FRAME_TOO_LARGE'])
    assert.match(error.hint, /nothing was sent/)
  }
})

test('text errors are two lines: what is wrong, and what to do', async () => {
  const { code, stdout, stderr } = await box.run(['send-message', '0:0000.0000', 'x'])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /^error: "0:0000.0000" is not an address: .*\nhint: a target is an address .*\n$/)
})

test('no verb prints the help, and is exit code 2', async () => {
  const { code, stdout, stderr } = await box.run([])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /Usage: pilot-dx/)
})

test('no daemon is exit code 3', async () => {
  const socket = join(dir, 'none.sock')
  for (const args of [
    ['send-message', 'x', 'y'],
    ['send-file', 'x', file],
    ['trace', 'x'],
  ]) {
    const { exit, code, error_code: library } = await box.fails([...args, '--socket', socket])
    assert.deepEqual([exit, code, library], [3, 'not_running', 'DAEMON_UNAVAILABLE'])
  }
})

test('status without a daemon still tells of the folders', async () => {
  const { code, stdout, stderr } = await box.run(['status', '--json', '--socket', join(dir, 'none.sock')])
  assert.equal(code, 3)
  const { data } = JSON.parse(stdout)
  assert.deepEqual([data.daemon.running, data.inbox.messages], [false, 0])
  assert.equal(JSON.parse(stderr).code, 'not_running')
})

test('status lists the limits with an option as docs/limits.md does, also without a daemon', async () => {
  const args = ['status', '--socket', join(dir, 'none.sock')]
  const plain = await box.run(args)
  assert.match(plain.stdout, /^limits: +pilot-dx status --limits lists all$/m)
  const { data } = JSON.parse((await box.run([...args, '--json'])).stdout)
  assert.deepEqual(
    data.limits,
    // A limit that is off by default is null.
    JSON.parse(JSON.stringify(Object.entries(LIMITS).map(([name, limit]) => ({ name, ...limit })))),
  )
  const { code, stdout } = await box.run([...args, '--limits'])
  assert.equal(code, 3)
  const shown = stdout
    .slice(stdout.indexOf('\n\nlimit ') + 2)
    .trimEnd()
    .split('\n')
    .slice(1)
  const [configurable = ''] = readFileSync('docs/limits.md', 'utf8').split('## Fixed')
  const documented = configurable.match(/^\| `.*$/gm) ?? []
  assert.deepEqual(
    shown.map(line => line.split(/ {2,}/)),
    documented.map(row => {
      const [name = '', value = '', about = '', option = ''] = row.slice(2, -2).split(' | ')
      return [name.replaceAll('`', ''), value, option.replaceAll('`', ''), about]
    }),
  )
})

test('a socket that is not a daemon’s is exit code 3', async () => {
  const path = join(dir, 'http.sock')
  const server = createServer(socket => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>(resolve => server.listen(path, resolve))
  try {
    const failure = await box.fails(['send-message', 'x', 'y', '--socket', path])
    const { exit, error_code: library } = failure
    assert.deepEqual([exit, library], [3, 'DAEMON_NOT_PILOT'])
    assert.match(
      String(failure.message),
      /http\.sock is not a Pilot daemon: a message on the socket has 1213486160 bytes/,
    )
  } finally {
    server.close()
  }
})

test('an unknown hostname is exit code 4', async () => {
  const { exit, code, message } = await box.fails(['send-message', 'nobody', 'x'])
  assert.deepEqual([exit, code], [4, 'not_found'])
  assert.match(message, /no node is known as "nobody"/)
})

test('a peer that is not there, or has no service, is exit code 4', async () => {
  for (const target of ['0:0000.0000.0001', address]) {
    const { exit, code, error_code: library } = await box.fails(['send-message', target, 'x'])
    assert.deepEqual([exit, code, library], [4, 'connection_failed', 'DIAL_FAILED'])
  }
})

test('a connection that ends before the answer is exit code 4', async () => {
  const cut = (stream: Stream) => stream.once('data', () => stream.destroy())
  await withService(cut, async () => {
    const { exit, error_code: library, hint } = await box.fails(['send-message', address, 'x'])
    assert.deepEqual([exit, library], [4, 'CONNECTION_CLOSED'])
    assert.match(hint, /may have stored it/)
  })
})

test('a peer that does not answer is exit code 5', async () => {
  const mute = (stream: Stream) => stream.resume()
  await withService(mute, async () => {
    const [message, sent] = await Promise.all([
      box.fails(['send-message', address, 'x', '--timeout', '300ms']),
      // Long enough to connect on a busy machine: the answer is what must not come in time.
      box.fails(['send-file', address, file, '--timeout', '2s']),
    ])
    assert.deepEqual([message.exit, message.code, message.error_code], [5, 'timeout', 'TIMED_OUT'])
    assert.deepEqual([sent.exit, sent.code, sent.error_code], [5, 'timeout', 'TIMED_OUT'])
  })
})

test('a peer that refuses is exit code 1, its reason made safe for a terminal', async () => {
  await withService(answering('ERR TEXT save failed: \x1b[31mno'), async () => {
    const { code, stderr } = await box.run(['send-message', address, 'x'])
    assert.equal(code, 1)
    assert.match(stderr, /^error: the peer did not store it: \\x1b\[31mno$/m)
    const error = await box.fails(['send-message', address, 'x'])
    assert.deepEqual([error.exit, error.code, error.error_code], [1, 'internal', 'PEER_REFUSED'])
  })
})

test('a peer that does not know the type is exit code 1', async () => {
  await withService(answering('ACK UNKNOWN(5) 1 bytes'), async () => {
    const { exit, error_code: library } = await box.fails(['send-message', address, 'x', '--trace'])
    assert.deepEqual([exit, library], [1, 'PEER_UNSUPPORTED'])
  })
})

test('a failure in the midst of several sends tells what was sent', async () => {
  let count = 0
  const once = (stream: Stream) => {
    stream.on('data', () => {
      count++
      const text = count === 1 ? 'ACK TEXT 1 bytes' : 'ERR TEXT save failed: enough'
      stream.write(Buffer.concat(encodeFrame({ type: FrameType.Text, payload: Buffer.from(text) })))
    })
  }
  await withService(once, async () => {
    const { exit, results } = await box.fails(['send-message', address, 'x', '--count', '3'])
    assert.equal(exit, 1)
    const [{ message_id: _, ...first }, ...more] = results
    assert.deepEqual([first, more], [{ seq: 1, bytes: 1, tagged: true, ack: 'ACK TEXT 1 bytes' }, []])
  })
})

test('there is no message of that id, nor is a path one', async () => {
  mkdirSync(join(box.home, 'inbox'), { recursive: true })
  writeFileSync(join(box.home, 'secret.json'), '{}')
  for (const id of ['TEXT-1', '../secret', '.hidden', '']) {
    const { exit, code } = await box.fails(['inbox', 'read', id])
    assert.deepEqual([exit, code], [2, 'not_found'])
  }
})

test('a reader that has seen enough ends the command quietly', async () => {
  const inbox = join(dir, 'many')
  const text = JSON.stringify({
    type: 'TEXT',
    from: address,
    data: 'x'.repeat(100),
    bytes: 100,
    received_at: '',
  })
  mkdirSync(inbox)
  for (let i = 0; i < 1000; i++)
    writeFileSync(join(inbox, `TEXT-20260101-000000.000-${100_000 + i}.json`), text)
  const listing = box.start(['inbox', '--limit', '0', '--dir', inbox])
  listing.child.stdout?.destroy()
  const { code, stderr } = await listing.done
  assert.deepEqual([code, stderr], [0, ''])
})
