// The names that a user of the original looks for, through the public API of this package and over real embedded
// daemons.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { type TestContext, test } from 'node:test'
import {
  Address,
  Client,
  Driver,
  encodeFrame,
  type Frame,
  FrameDecoder,
  FrameType,
  MAX_FRAME_SIZE,
  type PluginService,
  parseAddress,
  parseSocketAddress,
  Runtime,
  readFrame,
  readTracePayload,
  Server,
  Service,
  type ServiceConfig,
  type ServiceDeps,
  type Stream,
  type TraceFrame,
  typeName,
  writeFrame,
  writeTraceFrame,
} from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'
import { evaluate } from '../helpers/child.ts'
import { startPeer, startServiceNode } from '../helpers/nodes.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (frame: Frame | null): string => new TextDecoder().decode(frame?.payload)

test('TypeText ... TypeTrace, TypeName: the types of frames and their names', () => {
  const types = [FrameType.Text, FrameType.Binary, FrameType.JSON, FrameType.File, FrameType.Trace]
  assert.deepEqual(types, [1, 2, 3, 4, 5])
  assert.deepEqual(types.map(typeName), ['TEXT', 'BINARY', 'JSON', 'FILE', 'TRACE'])
  assert.equal(typeName(99), 'UNKNOWN(99)')
})

test('MaxFrameSize: MAX_FRAME_SIZE is 256 MiB', () => {
  assert.equal(MAX_FRAME_SIZE, 268_435_456)
})

test('Frame, WriteFrame, ReadFrame: a frame is the same after any Node stream', async () => {
  const stream = new PassThrough()
  const frames: Frame[] = [
    { type: FrameType.Text, payload: bytes('hello') },
    { type: FrameType.File, payload: randomBytes(200_000), filename: 'data.bin' },
    { type: FrameType.Binary, payload: new Uint8Array(0) },
  ]
  const reading = (async () => {
    const found: Frame[] = []
    for (let frame = await readFrame(stream); frame !== null; frame = await readFrame(stream))
      found.push(frame)
    return found
  })()
  for (const frame of frames) await writeFrame(stream, frame)
  stream.end()
  assert.deepEqual((await reading).map(plain), frames.map(plain))
})

test('WriteFrame, ReadFrame, on bytes: encodeFrame and FrameDecoder', () => {
  const frame: Frame = { type: FrameType.File, payload: bytes('data'), filename: 'f.txt' }
  const encoded = Buffer.concat(encodeFrame(frame))
  assert.equal(encoded.toString('latin1'), '\0\0\0\x04\0\0\0\x0b\0\x05f.txtdata')
  const decoder = new FrameDecoder()
  const found = [...encoded].flatMap(byte => decoder.push(Uint8Array.of(byte)))
  assert.deepEqual(found.map(plain), [plain(frame)])
})

test('TraceFrame, WriteTraceFrame, ReadTracePayload: the time is exact', async () => {
  const stream = new PassThrough()
  const trace: TraceFrame = {
    sentAtNs: 1_790_000_000_123_456_789n,
    innerType: FrameType.Text,
    payload: bytes('x'),
  }
  await writeTraceFrame(stream, trace)
  const frame = await readFrame(stream)
  assert.equal(frame?.type, FrameType.Trace)
  const { sentAtNs, innerType, payload } = readTracePayload(frame as Frame)
  assert.deepEqual({ sentAtNs, innerType, payload: [...payload] }, { ...trace, payload: [...trace.payload] })
})

test('protocol.ParseAddr, Addr.String: addresses and their text', () => {
  const address = parseAddress('1:0001.00a3.f291')
  assert.ok(address instanceof Address)
  assert.deepEqual([address.network, address.node], [1, 0xa3_f291])
  assert.equal(address.toString(), '1:0001.00A3.F291')
  assert.equal(parseSocketAddress('1:0001.00A3.F291:1001').port, 1001)
  assert.throws(() => parseAddress('2:0001.00A3.F291'), { code: 'ADDRESS_INVALID' })
})

test('driver.Connect: by the path of the socket, and by the environment', async t => {
  const { daemon } = await startPeer(t, tempDir(t), 'a')
  const driver = await Driver.connect(daemon.socketPath)
  t.after(() => driver.close())
  assert.equal((await driver.info()).nodeId, daemon.address.node)

  const before = process.env.PILOT_SOCKET
  t.after(() => {
    if (before === undefined) delete process.env.PILOT_SOCKET
    else process.env.PILOT_SOCKET = before
  })
  process.env.PILOT_SOCKET = daemon.socketPath
  const found = await Driver.connect()
  t.after(() => found.close())
  assert.equal(found.socketPath, daemon.socketPath)
})

test('Dial: connects to the data exchange of an address', async t => {
  const folder = tempDir(t)
  const { daemon } = await startServiceNode(t, folder, 'a')
  const { driver } = await startPeer(t, folder, 'b')
  for (const address of [daemon.address, `${daemon.address}`]) {
    const client = await Client.dial(driver, address)
    assert.equal(`${client.remoteAddress.address}:${client.remoteAddress.port}`, `${daemon.address}:1001`)
    await client.close()
  }
  await assert.rejects(Client.dial(driver, '0:0000.0000.0001'), { code: 'DIAL_FAILED' })
})

test('SendText, SendJSON, SendBinary, SendFile, SendTrace: each reaches the service and is answered', async t => {
  const { client, node } = await connected(t)
  await client.sendText('hello')
  await client.sendJSON({ a: 1 })
  await client.sendJSON(bytes('{"raw": true}'))
  await client.sendBinary(Uint8Array.of(0, 255))
  await client.sendFile('notes.txt', bytes('notes'))
  const sentAt = await client.sendTrace(FrameType.Text, bytes('probe'))
  const answers: string[] = []
  for (let n = 0; n < 6; n++) answers.push(text(await client.recv()))
  assert.deepEqual(answers.slice(0, 5), [
    'ACK TEXT 5 bytes',
    'ACK JSON 7 bytes',
    'ACK JSON 13 bytes',
    'ACK BINARY 2 bytes',
    'ACK FILE 5 bytes',
  ])
  assert.match(answers[5] ?? '', new RegExp(`"sent_at_ns":${sentAt},.*"inner_ack":"ACK TEXT 5 bytes"`))
  assert.deepEqual(
    node.messages().map(({ type, data }) => [type, data]),
    [
      ['TEXT', 'hello'],
      ['JSON', '{"a":1}'],
      ['JSON', '{"raw": true}'],
      ['BINARY', '\0\ufffd'],
      ['TEXT', 'probe'],
    ],
  )
  assert.deepEqual([...node.files().values()].map(String), ['notes'])
})

test('Recv, Close: frames come until the peer ends the stream; await using closes', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startPeer(t, folder, 'a'), await startPeer(t, folder, 'b')]
  const listener = await a.driver.listen(1001)
  const accepting = listener[Symbol.asyncIterator]().next()
  let closed: Promise<unknown>
  {
    await using client = await Client.dial(b.driver, a.daemon.address)
    const stream = (await accepting).value as Stream
    await writeFrame(stream, { type: FrameType.Text, payload: bytes('from the other side') })
    assert.equal(text(await client.recv()), 'from the other side')
    closed = once(stream.resume(), 'close')
  }
  await closed

  const next = listener[Symbol.asyncIterator]().next()
  const client = await Client.dial(b.driver, a.daemon.address)
  ;(await next).value?.end()
  assert.equal(await client.recv(), null)
  await client.close()
})

test('NewServer, ListenAndServe: one handler gets every frame, and may answer on its stream', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startPeer(t, folder, 'a'), await startPeer(t, folder, 'b')]
  const seen: string[] = []
  const server = new Server(a.driver, async (stream, frame) => {
    seen.push(`${typeName(frame.type)} ${text(frame)} from ${stream.remoteAddress.address}`)
    await writeFrame(stream, { type: FrameType.Text, payload: bytes(`got ${text(frame)}`) })
  })
  const serving = server.listenAndServe()
  // Until it has bound its port.
  const client = await dialled(b.driver, a.daemon.address)
  await client.sendText('one')
  await client.sendJSON([2])
  assert.equal(text(await client.recv()), 'got one')
  assert.equal(text(await client.recv()), 'got [2]')
  await client.close()
  await server.close()
  await serving
  const from = `from ${b.daemon.address}`
  assert.deepEqual(seen, [`TEXT one ${from}`, `JSON [2] ${from}`])
})

test('NewService: Name, Order, Start, Stop', async t => {
  const folder = tempDir(t)
  const { daemon, driver } = await startPeer(t, folder, 'a')
  const service: PluginService = new Service({ inboxDir: `${folder}/in`, receivedDir: `${folder}/re` })
  assert.equal(service.name, 'dataexchange')
  assert.equal(service.order, 110)
  const { nodeId, address } = await driver.info()
  const quiet = () => {}
  const deps: ServiceDeps = {
    streams: driver,
    resolver: driver,
    identity: { nodeId, address },
    events: new Runtime({ driver }).events,
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  }
  await service.start(deps)
  const client = await Client.dial(driver, daemon.address)
  await client.sendText('x')
  assert.equal(text(await client.recv()), 'ACK TEXT 1 bytes')
  await client.close()
  await service.stop()
  await assert.rejects(Client.dial(driver, daemon.address), { code: 'DIAL_FAILED' })
})

test('ServiceConfig: ReceivedDir, InboxDir, IncludeBase64, InboxMaxFiles', async t => {
  const config: ServiceConfig = { includeBase64: true, inboxMaxFiles: 2 }
  const { client, node } = await connected(t, config)
  for (const number of ['one', 'two', 'three']) await client.deliver({ text: number })
  await client.deliver({ file: bytes('data'), name: 'f.txt' })
  assert.deepEqual(
    node.messages().map(message => [message.data, message.data_b64]),
    [
      ['two', Buffer.from('two').toString('base64')],
      ['three', Buffer.from('three').toString('base64')],
    ],
  )
  assert.match([...node.files().keys()].join(), /^f-\d{8}-\d{6}\.\d{3}-000001\.txt$/)
})

test('rt.Register: a runtime starts services by their order, and stops them in reverse', async t => {
  const { driver } = await startPeer(t, tempDir(t), 'a')
  const calls: string[] = []
  const service = (name: string, order: number): PluginService => ({
    name,
    order,
    start: async deps => void calls.push(`start ${name} on ${deps.identity.address}`),
    stop: async () => void calls.push(`stop ${name}`),
  })
  const runtime = new Runtime({ driver })
  runtime.register(service('later', 200))
  runtime.register(service('earlier', 100))
  await runtime.start()
  assert.throws(() => runtime.register(service('late', 1)), { code: 'REGISTRY_STARTED' })
  await runtime.stop()
  const { address } = await driver.info()
  assert.deepEqual(calls, [
    `start earlier on ${address}`,
    `start later on ${address}`,
    'stop later',
    'stop earlier',
  ])
})

test('build tag no_dataexchange: the same import gives the stub', async () => {
  const source = `
    import { Service } from 'pilot-dataexchange'
    const { name, order, start, stop } = new Service({ inboxMaxFiles: 5 })
    console.log(JSON.stringify([name, order, typeof start, typeof stop]))`
  const shape = [110, 'function', 'function']
  assert.deepEqual(await evaluate(source), ['dataexchange', ...shape])
  const disabled = await evaluate(source, '--conditions=no_dataexchange')
  assert.deepEqual(disabled, ['dataexchange-disabled', ...shape])
})

test('the daemon for one machine: an address, a hostname, and an end', async t => {
  const folder = tempDir(t)
  const options = { socketPath: `${folder}/x.sock`, directory: `${folder}/nodes`, hostname: 'x' }
  await using daemon = await EmbeddedDaemon.start(options)
  assert.ok(daemon.address instanceof Address)
  assert.equal(daemon.hostname, 'x')
  await daemon.close()
  await assert.rejects(Driver.connect(daemon.socketPath), { code: 'DAEMON_UNAVAILABLE' })
})

/** A node with the service, and a client of it on another node. */
async function connected(t: TestContext, config: ServiceConfig = {}) {
  const folder = tempDir(t)
  const node = await startServiceNode(t, folder, 'a', config)
  const { driver } = await startPeer(t, folder, 'b')
  const client = await Client.dial(driver, node.daemon.address)
  t.after(() => client.close())
  return { node, client }
}

/** Dials until somebody listens. */
async function dialled(driver: Driver, address: Address): Promise<Client> {
  for (;;) {
    try {
      return await Client.dial(driver, address)
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'DIAL_FAILED')
    }
  }
}

function plain({ type, payload, filename }: Frame): object {
  return { type, filename: filename ?? '', payload: Buffer.from(payload).toString('hex') }
}
