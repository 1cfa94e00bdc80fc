import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { InboxConsumer } from 'pilot-dataexchange/mailbox'
import { startDaemon } from '../helpers/embedded.ts'
import { readFiles, readMessages } from '../helpers/service-harness.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const run = promisify(execFile)
const compiled = (name: string) => join('build', 'examples', `${name}.js`)

/** A machine with an embedded daemon, and what a child needs to know to be on it. */
async function machine(t: TestContext) {
  const children: ChildProcess[] = []
  // Before the folder that they write to is removed: what is registered first is done first.
  t.after(async () => {
    for (const child of children) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  })
  const home = tempDir(t)
  const { socketPath } = await startDaemon(t, home)
  const env = { ...process.env, HOME: home, PILOT_SOCKET: socketPath }
  return { home, env, endWithTest: (child: ChildProcess) => children.push(child) }
}

test('the demo finds everything where it should be', async () => {
  const { stdout } = await run(process.execPath, [compiled('demo')])
  assert.match(stdout, /Everything that Bob sent is at Alice, byte for byte\./)
})

test('the examples of the README run: one receives what another delivers', { timeout: 30_000 }, async t => {
  const { home, env, endWithTest } = await machine(t)
  const receiver = spawn(process.execPath, [compiled('receive')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endWithTest(receiver)
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
  assert.match((await lines.next()).value, /^listening as 0:/)

  const sender = run(process.execPath, [compiled('deliver')], { env })
  assert.equal((await lines.next()).value, 'a message has come: {')
  assert.match((await lines.next()).value, /^ {2}type: 'TEXT'/)
  // The receiver of the example leaves after its first message; what was acknowledged is there all the same.
  await sender.catch(error => assert.match(error.stderr, /CONNECTION_CLOSED|PEER_REFUSED|DIAL_FAILED/))
  const messages = readMessages(join(home, '.pilot', 'inbox'))
  assert.equal(messages[0]?.data, 'The report is ready.')
})

test('the deliver example delivers all it has to a node that stays', { timeout: 30_000 }, async t => {
  const { home, env, endWithTest } = await machine(t)
  const cli = join('packages', 'pilot-dx', 'dist', 'main.js')
  const node = spawn(process.execPath, [cli, 'serve', '--json'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  endWithTest(node)
  await createInterface({ input: node.stdout })[Symbol.asyncIterator]().next()

  const { stdout } = await run(process.execPath, [compiled('deliver')], { env })
  assert.equal(stdout, 'stored by the peer: ACK TEXT 20 bytes\n')
  assert.deepEqual(
    readMessages(join(home, '.pilot', 'inbox')).map(({ type }) => type),
    ['TEXT', 'JSON'],
  )
  const [file] = [...readFiles(join(home, '.pilot', 'received')).values()]
  assert.deepEqual(file, readFileSync('package.json'))
})

test('the transfer example sends a file and tells how far it is', { timeout: 30_000 }, async t => {
  const { home, env, endWithTest } = await machine(t)
  const cli = join('packages', 'pilot-dx', 'dist', 'main.js')
  const node = spawn(process.execPath, [cli, 'serve', '--json'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  endWithTest(node)
  await createInterface({ input: node.stdout })[Symbol.asyncIterator]().next()

  const { stdout } = await run(process.execPath, [compiled('transfer')], { env })
  const { length } = readFileSync('package.json')
  assert.match(stdout, new RegExp(`^${length} of ${length} bytes, \\d+ a second$`, 'm'))
  assert.match(
    stdout,
    /stored by the peer: \{"transport":"stream","verified":true,"bytesResumed":0,"reconnects":0\}\n$/,
  )
  const [file] = [...readFiles(join(home, '.pilot', 'received')).values()]
  assert.deepEqual(file, readFileSync('package.json'))
})

test('the frames example serves a port of its own', { timeout: 30_000 }, async t => {
  const { env } = await machine(t)
  const { stdout } = await run(process.execPath, [compiled('frames')], { env })
  assert.equal(stdout, 'BINARY of 3 bytes\n')
})

test('the ask example is answered at once by the answer example', { timeout: 30_000 }, async t => {
  const { home, env, endWithTest } = await machine(t)
  const node = spawn(process.execPath, [compiled('answer')], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  endWithTest(node)
  const lines = createInterface({ input: node.stdout })[Symbol.asyncIterator]()
  const address = /^answering as (0:.*)$/.exec((await lines.next()).value)?.[1] ?? ''

  const { stdout } = await run(process.execPath, [compiled('ask')], { env })
  assert.equal(stdout, `answered at once: ${address} asked: What is left to do?\n`)
  assert.deepEqual(readMessages(join(home, '.pilot', 'inbox')), [])
  const ended = once(node, 'exit')
  node.kill('SIGINT')
  assert.deepEqual(await ended, [0, null])
})

test('the ask example waits for the reply of a node that answers nothing', { timeout: 30_000 }, async t => {
  const { env, endWithTest } = await machine(t)
  const cli = join('packages', 'pilot-dx', 'dist', 'main.js')
  const node = spawn(process.execPath, [cli, 'serve', '--json'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  endWithTest(node)
  const lines = createInterface({ input: node.stdout })[Symbol.asyncIterator]()
  const { address } = JSON.parse((await lines.next()).value).data

  const asking = run(process.execPath, [compiled('ask'), address], { env })
  const { message_id: id } = JSON.parse((await lines.next()).value)
  await run(process.execPath, [cli, 'send-message', address, 'Nothing.', '--reply-to', id], { env })
  const { stdout } = await asking
  assert.equal(stdout, 'stored by the peer: ACK AUTOANSWER 19 bytes\nanswered later: Nothing.\n')
})

test('the worker example answers a question', { timeout: 30_000 }, async t => {
  const { home, env, endWithTest } = await machine(t)
  const cli = join('packages', 'pilot-dx', 'dist', 'main.js')
  const start = (args: string[]) => {
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    endWithTest(child)
    return createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  }
  const { value } = await start([cli, '--json', 'serve'])
  await start([compiled('worker')])
  await run(process.execPath, [cli, 'send-message', JSON.parse(value).data.address, 'Where is it?'], { env })
  const inbox = await InboxConsumer.open({ dir: join(home, '.pilot', 'inbox'), group: 'test' })
  const seen: string[] = []
  while (seen.length < 2) seen.push((await inbox.next({ waitMs: Number.POSITIVE_INFINITY }))?.data ?? '')
  assert.deepEqual(seen, ['Where is it?', 'I shall find out.'])
})

test('the outbox example delivers what an earlier run could not, which was killed', {
  timeout: 30_000,
}, async t => {
  const { home, env, endWithTest } = await machine(t)
  const killed = spawn(process.execPath, [compiled('outbox'), 'a'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endWithTest(killed)
  const lines = createInterface({ input: killed.stdout })[Symbol.asyncIterator]()
  const first = /^queued (\w+)$/.exec((await lines.next()).value)?.[1]
  killed.kill('SIGKILL')
  await once(killed, 'exit')

  const cli = join('packages', 'pilot-dx', 'dist', 'main.js')
  const options = ['serve', '--json', '--no-outbox']
  const node = spawn(process.execPath, [cli, ...options], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  endWithTest(node)
  await createInterface({ input: node.stdout })[Symbol.asyncIterator]().next()
  const { stdout } = await run(process.execPath, [compiled('outbox'), 'a'], { env })
  const second = /^queued (\w+)$/m.exec(stdout)?.[1]
  assert.equal(
    stdout,
    [`queued ${second}`, `outbox.delivered ${first}`, `outbox.delivered ${second}`, ''].join('\n'),
  )
  assert.deepEqual(
    readMessages(join(home, '.pilot', 'inbox')).map(({ message_id: id }) => id),
    [first, second],
  )
})
