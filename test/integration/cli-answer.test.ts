import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '#lib/client/client.js'
import { Driver } from '#lib/pilot/driver.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { Sandbox } from '../helpers/cli.js'
import { textOf } from '../helpers/service-harness.js'

/** A node whose requests `command` answers, and a peer that asks it. */
async function answering(t: TestContext, command: string, ...options: string[]) {
  const box = new Sandbox(t)
  const serving = box.start(['serve', '--json', '--answer', command, ...options])
  const { address, answer } = JSON.parse(await serving.line(/"status":"ok"/)).data
  assert.equal(answer, command)
  const driver = await Driver.connect(box.socket)
  t.after(() => driver.close())
  /** Asks on a connection of its own. */
  const ask = async (text: string) => {
    const client = await Client.dial(driver, address)
    try {
      await client.send({ type: FrameType.AutoAnswer, payload: Buffer.from(text) })
      assert.equal(textOf(await client.recv()), `ACK+REPLY AUTOANSWER ${Buffer.byteLength(text)} bytes`)
      return await client.recv()
    } finally {
      await client.close()
    }
  }
  const failure = async (text: string) => errorOf(await ask(text))
  const logLine = async (pattern: RegExp) => JSON.parse(await serving.errorLine(pattern))
  return { box, serving, address, ask, failure, logLine }
}

function errorOf(frame: Frame | null): string {
  assert.equal(frame?.type, FrameType.JSON)
  return JSON.parse(textOf(frame)).error
}

/** The number that a command has written into a file. */
async function pidIn(path: string): Promise<number> {
  for (;;) {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    if (text.endsWith('\n')) return Number(text)
    await delay(10)
  }
}

/** Resolves when the process is gone, or dead and not waited for. */
async function ended(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
      if (/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return
    } catch {
      return
    }
    await delay(10)
  }
}

const LEAVES_PID = 'sleep 1000 & echo $! > "$HOME/pid"; wait'

test('what the command prints is the reply; it knows who asks', { timeout: 30_000 }, async t => {
  const { ask, address, serving, box } = await answering(t, 'tr a-z A-Z; echo "from $PILOT_FROM" >&2')
  assert.equal(textOf(await ask('hello é')), 'HELLO é')
  assert.deepEqual(JSON.parse(await serving.line(/request\.answered/)), {
    event: 'request.answered',
    from: address,
    size: 8,
    reply_size: 8,
  })
  const line = JSON.parse(await serving.errorLine(/stderr of the answer command/))
  assert.equal(line.stderr, `from ${address}`)
  assert.equal((await box.ok(['inbox'])).total, 0)
})

test('a command need not read its request, and need not print', { timeout: 30_000 }, async t => {
  const { ask } = await answering(t, 'exec true')
  const reply = await ask('x'.repeat(200_000))
  assert.deepEqual([reply?.type, reply?.payload.length], [FrameType.Text, 0])
})

test('a command that hangs is killed with all it has started', { timeout: 30_000 }, async t => {
  const { box, failure, logLine } = await answering(t, LEAVES_PID, '--answer-timeout', '500ms')
  assert.equal(await failure('x'), 'the answer took too long')
  await ended(await pidIn(join(box.dir, 'pid')))
  assert.match((await logLine(/requests were not answered/)).msg, /the answer took too long$/)
})

test('what has left the command’s group holds up nothing', { timeout: 30_000 }, async t => {
  const away = 'setsid sh -c \'echo $$ >> "$HOME/pids"; exec sleep 1000\' & wait'
  const { box, failure } = await answering(t, away, '--answer-timeout', '500ms')
  // More than may run at once: their places are free again.
  for (let n = 0; n < 5; n++) assert.equal(await failure('x'), 'the answer took too long')
  const pids = readFileSync(join(box.dir, 'pids'), 'utf8').trim().split('\n').map(Number)
  assert.equal(pids.length, 5)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
})

test('a command that prints too much is killed', { timeout: 30_000 }, async t => {
  const { box, failure, logLine } = await answering(t, 'echo $$ > "$HOME/pid"; exec yes')
  assert.equal(await failure('x'), 'the reply cannot be sent')
  await ended(await pidIn(join(box.dir, 'pid')))
  assert.match((await logLine(/not answered/)).err.message, /printed more than 1048576 bytes/)
})

test('a command that fails: the log says how, the sender only that', { timeout: 30_000 }, async t => {
  const { failure, logLine } = await answering(t, 'head -c 100000 /dev/zero | tr "\\0" s >&2; exit 3')
  assert.equal(await failure('x'), 'the answer failed')
  const { message } = (await logLine(/not answered/)).err
  assert.match(message, /^the answer command ended with exit code 3: s+$/)
  assert.ok(message.length < 5000)
})

test('a command that does not exist, or dies of a signal, or prints no UTF-8', {
  timeout: 30_000,
}, async t => {
  const command = 'read what; case $what in signal) kill -9 $$;; bytes) printf "\\377";; *) ./missing;; esac'
  const { failure, logLine } = await answering(t, command)
  assert.equal(await failure('other\n'), 'the answer failed')
  assert.match((await logLine(/not answered/)).err.message, /exit code 127: .*missing/)
  assert.equal(await failure('signal\n'), 'the answer failed')
  assert.equal(await failure('bytes\n'), 'the reply cannot be sent')
})

for (const [what, signals] of [
  ['a signal: the sender is told', ['SIGTERM']],
  ['a second signal, at once', ['SIGTERM', 'SIGINT']],
] as const) {
  test(`nothing is left running after ${what}`, { timeout: 30_000 }, async t => {
    const { box, serving, failure } = await answering(t, LEAVES_PID)
    const asked = failure('x').catch(error => error.code ?? error.message)
    const pid = await pidIn(join(box.dir, 'pid'))
    const [first, second] = signals
    serving.child.kill(first)
    // Again and again: two that come together may be one key.
    const again = setInterval(() => second !== undefined && serving.child.kill(second), 300)
    const { code } = await serving.done
    clearInterval(again)
    assert.equal(code, second === undefined ? 0 : 130)
    await ended(pid)
    const told = await asked
    if (second === undefined) assert.equal(told, 'the service stops answering')
  })
}

test('options that cannot be right', { timeout: 30_000 }, async t => {
  const box = new Sandbox(t)
  const cases: [string[], RegExp][] = [
    [['--answer', ' '], /--answer needs a command, and got an empty text/],
    [['--answer-timeout', '5s'], /goes with --answer/],
    [['--answer', 'cat', '--answer-timeout', '41s'], /40s or less/],
    [['--answer', 'cat', '--answer-timeout', '5'], /Say the unit/],
  ]
  for (const [options, message] of cases) {
    const error = await box.fails(['serve', ...options])
    assert.deepEqual([error.exit, error.code], [2, 'invalid_argument'])
    assert.match(error.message, message)
  }
})
