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

/** Starts an embedded daemon, and returns the environment in which a child process finds it. */
async function machine(t: TestContext) {
  const children: ChildProcess[] = []
  // Registered before tempDir, because hooks run in order: the children end before their folder is removed.
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

/** Ends an example as Ctrl-C does. */
async function interrupt(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGINT')
  assert.deepEqual(await ended, [0, null])
}

test('the demo finds every message where it belongs', async () => {
  const { stdout } = await run(process.execPath, [compiled('demo')])
  assert.match(stdout, /Everything that Bob sent is at Alice, byte for byte\./)
})

test('the receive example receives the messages of the deliver example', { timeout: 30_000 }, async t => {
  const { home, env, endWithTest } = await machine(t)
  const receiver = spawn(process.execPath, [compiled('receive')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endWithTest(receiver)
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
  assert.match((await lines.next()).value, /^listening as 0:/)

  await run(process.execPath, [compiled('deliver')], { env })
  assert.match((await lines.next()).value, /^TEXT from 0:\S+, 20 bytes$/)
  assert.match((await lines.next()).value, /^JSON from 0:\S+, 31 bytes$/)
  const messages = readMessages(join(home, '.pilot', 'inbox'))
  assert.equal(messages[0]?.data, 'The report is ready.')
  await interrupt(receiver)
})

for (const name of ['receive', 'answer']) {
  test(`the ${name} example starts an embedded daemon if there is none`, { timeout: 30_000 }, async t => {
    const home = tempDir(t)
    const env = { ...process.env, HOME: home, PILOT_SOCKET: join(home, 'pilot.sock') }
    const node = spawn(process.execPath, [compiled(name)], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const lines = createInterface({ input: node.stdout })[Symbol.asyncIterator]()
      assert.match((await lines.next()).value, /^(listening|answering) as 0:/)
      const { stdout } = await run(process.execPath, [compiled(name === 'receive' ? 'deliver' : 'ask')], {
        env,
      })
      assert.match(stdout, name === 'receive' ? /^stored by the peer: ACK TEXT/ : /^answered at once: /)
      await interrupt(node)
    } finally {
      node.kill('SIGKILL')
    }
  })
}

test('the deliver example delivers a text, a JSON value and a file', { timeout: 30_000 }, async t => {
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

test('the transfer example sends a file and prints its progress', { timeout: 30_000 }, async t => {
  const { home, env, endWithTest } = await machine(t)
  const cli = join('packages', 'pilot-dx', 'dist', 'main.js')
  const node = spawn(process.execPath, [cli, 'serve', '--json'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  endWithTest(node)
  await createInterface({ input: node.stdout })[Symbol.asyncIterator]().next()

  const { stdout } = await run(process.execPath, [compiled('transfer')], { env })
  const { length } = readFileSync('package.json')
  assert.match(stdout, new RegExp(`^${length} of ${length} bytes, \\d+ per second$`, 'm'))
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
  await interrupt(node)
})

test('the ask example waits for the reply of a node without an answer hook', { timeout: 30_000 }, async t => {
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

test('the outbox example delivers the messages of an earlier run that was killed', {
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
