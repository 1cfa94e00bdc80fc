// Two nodes on this machine, in temporary folders, exchange one frame of every kind: `npm run demo`.
// Exits with 0 only when everything that was sent is where it should be.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Driver, FrameType, type Message, Runtime, Service } from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'

const folder = await mkdtemp(join(tmpdir(), 'pilot-demo-'))
try {
  await demo()
} finally {
  await rm(folder, { recursive: true })
}

async function demo(): Promise<void> {
  await using alice = await startNode('alice')
  await using bob = await startNode('bob')
  console.log(`alice is ${alice.address}, bob is ${bob.address}`)

  const data = randomBytes(1_000_000)
  const messages: [string, Message][] = [
    ['text', { text: 'Hello, Alice. ¿Qué tal?' }],
    ['JSON', { json: { task: 'summarize', pages: [1, 2, 3] } }],
    ['binary', { binary: Uint8Array.of(0, 1, 254, 255) }],
    ['file', { file: data, name: 'numbers.bin' }],
    ['trace', { trace: new TextEncoder().encode('how long does this take?'), innerType: FrameType.Text }],
  ]

  console.log('\nBob sends one frame of each kind, and Alice acknowledges it:')
  await using toAlice = await Client.dial(bob.driver, alice.address)
  for (const [kind, message] of messages) {
    const receipt = await toAlice.deliver(message)
    console.log(`  ${kind.padEnd(7)} ${receipt.answer}`)
    if (receipt.trace) {
      const { sentAtNs, receivedAtNs, inboxWrittenAtNs } = receipt.trace
      console.log(
        `          to Alice ${micros(receivedAtNs - sentAtNs)}, onto her disk ${micros(inboxWrittenAtNs - receivedAtNs)}`,
      )
      assert.ok(sentAtNs <= receivedAtNs && receivedAtNs <= inboxWrittenAtNs)
    }
  }

  console.log("\nAlice's inbox:")
  const inbox = await Promise.all(
    (await listFiles(alice.inboxDir)).map(async path => JSON.parse(await readFile(path, 'utf8'))),
  )
  inbox.sort((a, b) => (a.received_at < b.received_at ? -1 : 1))
  for (const message of inbox) console.log(`  ${JSON.stringify(message)}`)
  assert.deepEqual(
    inbox.map(({ type, from, data }) => [type, from, data]),
    [
      ['TEXT', String(bob.address), 'Hello, Alice. ¿Qué tal?'],
      ['JSON', String(bob.address), '{"task":"summarize","pages":[1,2,3]}'],
      ['BINARY', String(bob.address), '\0\u0001\ufffd\ufffd'],
      ['TEXT', String(bob.address), 'how long does this take?'],
    ],
  )
  assert.deepEqual(Buffer.from(inbox[2].data_b64, 'base64'), Buffer.from([0, 1, 254, 255]))

  console.log('\nAlice received:')
  const [received, ...others] = await listFiles(alice.receivedDir)
  assert.ok(received)
  assert.equal(others.length, 0)
  const hashes = [sha256(data), sha256(await readFile(received))]
  console.log(
    `  ${received.slice(folder.length + 1)}\n  sent     sha256 ${hashes[0]}\n  received sha256 ${hashes[1]}`,
  )
  assert.equal(hashes[0], hashes[1])

  console.log('\nEverything that Bob sent is at Alice, byte for byte.')
}

async function startNode(name: string) {
  const inboxDir = join(folder, name, 'inbox')
  const receivedDir = join(folder, name, 'received')
  const socketPath = join(folder, `${name}.sock`)
  const daemon = await EmbeddedDaemon.start({ socketPath, hostname: name, directory: join(folder, 'nodes') })
  const driver = await Driver.connect(socketPath)
  const runtime = new Runtime({ driver })
  runtime.register(new Service({ inboxDir, receivedDir }))
  await runtime.start()
  return {
    address: daemon.address,
    driver,
    inboxDir,
    receivedDir,
    async [Symbol.asyncDispose]() {
      await runtime.stop()
      await driver.close()
      await daemon.close()
    },
  }
}

async function listFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(dir, entry.name))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function micros(ns: bigint): string {
  return `${Number(ns / 1000n)} µs`
}
