import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Running, Sandbox } from '../helpers/cli.js'
import { readFiles, readMessages } from '../helpers/service-harness.ts'

/** A node called bob, next to the one of the sandbox. */
function startBob(box: Sandbox): Running {
  const home = join(box.dir, 'bob')
  return box.start([
    'serve',
    '--json',
    '--socket',
    join(box.dir, 'bob.sock'),
    '--home',
    home,
    '--hostname',
    'bob',
  ])
}

const bobInbox = (box: Sandbox) => readMessages(join(box.dir, 'bob', 'inbox'))

test('what is queued while nothing runs is sent once both nodes do', { timeout: 60_000 }, async t => {
  const box = new Sandbox(t)
  const path = join(box.dir, 'report.txt')
  writeFileSync(path, 'the report')
  const first = await box.ok([
    'send-message',
    'bob',
    'hello',
    '--queue',
    '--expires',
    '2d',
    '--reply-to',
    'r-1',
  ])
  const { message_id: id, ...rest } = first
  assert.match(id, /^[0-9a-f]{32}$/)
  const outbox = join(box.home, 'outbox')
  assert.deepEqual(rest, {
    target: 'bob',
    type: 'text',
    bytes: 5,
    reply_to: 'r-1',
    queued: true,
    running: false,
    outbox,
  })
  const file = await box.ok(['send-file', 'bob', path, '--queue', '--copy'])
  assert.deepEqual([file.filename, file.path, file.copied], ['report.txt', path, true])
  writeFileSync(path, 'the copy is what counts')
  const many = await box.ok([
    'send-message',
    'bob',
    '--queue',
    '--count',
    '3',
    '--type',
    'json',
    '--data',
    '[1]',
  ])
  assert.equal(many.message_ids.length, 3)

  const { entries, total, running } = await box.ok(['outbox'])
  assert.deepEqual([total, running], [5, false])
  assert.equal(entries[0].id, id)
  assert.equal(Date.parse(entries[0].expires_at) - Date.parse(entries[0].added_at) > 170_000_000, true)
  assert.deepEqual(
    entries.map(({ status, type, filename }: Record<string, string>) => [status, type, filename]),
    [
      ['queued', 'TEXT', undefined],
      ['queued', 'FILE', 'report.txt'],
      ...Array(3).fill(['queued', 'JSON', undefined]),
    ],
  )
  const { stdout: text } = await box.run(['outbox', '--limit', '1'])
  assert.match(
    text,
    new RegExp(
      `^${id}  bob  TEXT  5  \\d+s  not tried  queued\n\n5 messages in .*, 1 shown\nno process sends`,
    ),
  )
  const { stdout: status } = await box.run(['status'])
  assert.match(status, /outbox: +5 messages waiting, 0 failed, .*outbox\n +no process sends it/)

  const alice = box.start(['serve', '--json'])
  const { data } = JSON.parse(await alice.line(/"status"/))
  assert.equal(data.outbox, outbox)
  await alice.errorLine(/not delivered yet/)
  const bob = startBob(box)
  await bob.line(/"status"/)
  // Unless it has been delivered by itself.
  await box.run(['outbox', 'retry', id])
  const delivered = JSON.parse(await alice.line(new RegExp(`outbox.delivered.*${many.message_ids[2]}`)))
  assert.equal(delivered.target, 'bob')
  assert.deepEqual(
    bobInbox(box).map(({ data, message_id, reply_to }) => [data, message_id, reply_to]),
    [['hello', id, 'r-1'], ...many.message_ids.map((one: string) => ['[1]', one, undefined])],
  )
  assert.deepEqual([...readFiles(join(box.dir, 'bob', 'received')).values()].map(String), ['the report'])
  assert.deepEqual((await box.ok(['status'])).outbox, {
    dir: outbox,
    queued: 0,
    failed: 0,
    bytes: 0,
    running: true,
  })
})

test('a message from a peer that was away brings it what waits for it', { timeout: 60_000 }, async t => {
  const box = new Sandbox(t)
  const alice = box.start(['serve', '--json', '--hostname', 'alice'])
  await alice.line(/"status"/)
  await box.ok(['send-message', 'bob', 'when you are back', '--queue'])
  // The pauses grow: by now the next try is a while away.
  for (;;) {
    const [entry] = (await box.ok(['outbox'])).entries
    if (entry?.tries >= 3) break
  }
  const bob = startBob(box)
  await bob.line(/"status"/)
  await box.ok(['send-message', '--socket', join(box.dir, 'bob.sock'), 'alice', 'I am back'])
  const { tries } = JSON.parse(await alice.line(/outbox.delivered/))
  assert.ok(tries <= 5)
  assert.equal(bobInbox(box)[0]?.data, 'when you are back')
})

test('outbox run sends without serving, and tells what failed', { timeout: 60_000 }, async t => {
  const box = new Sandbox(t)
  const path = join(box.dir, 'f.txt')
  writeFileSync(path, 'as it was')
  await box.ok(['send-message', 'bob', 'one', '--queue'])
  await box.ok(['send-file', 'bob', path, '--queue'])
  writeFileSync(path, 'as it is')
  const late = await box.fails(['outbox', 'run', '--until-empty', '--timeout', '300ms'])
  assert.deepEqual([late.exit, late.code, late.queued], [5, 'timeout', 2])

  // Begun before there is a daemon: it waits for it.
  const running = box.start([
    'outbox',
    'run',
    '--until-empty',
    '--json',
    '--socket',
    join(box.dir, 'bob.sock'),
  ])
  await running.errorLine(/waits for the daemon/)
  const bob = startBob(box)
  await bob.line(/"status"/)
  const { code, stderr } = await running.done
  assert.equal(code, 1)
  const { message, delivered, failed, queued } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')
  assert.equal(message, '1 message failed, 1 delivered')
  assert.deepEqual([delivered, failed, queued], [1, 1, 0])

  const { entries } = await box.ok(['outbox', '--failed'])
  assert.equal(entries[0].last_error.code, 'SOURCE_CHANGED')
  const { stdout } = await box.run(['outbox', '--failed'])
  assert.match(stdout, /FILE f.txt {2}9 {2}\d+s {2}not tried {2}failed: .* has changed since it was added/)
  assert.deepEqual(await box.ok(['outbox', 'clear']), { cleared: 1, remaining: 0 })
  const { stdout: done } = await box.run(['outbox', 'run', '--until-empty'])
  assert.equal(done, '0 messages delivered\n')
})

test('outbox cancel removes what waits; ids that are none are told', { timeout: 60_000 }, async t => {
  const box = new Sandbox(t)
  const { message_id: id } = await box.ok([
    'send-message',
    'bob',
    'x',
    '--queue',
    '--outbox',
    join(box.dir, 'other'),
  ])
  assert.equal((await box.fails(['outbox', 'cancel', id])).code, 'not_found')
  assert.deepEqual(await box.ok(['outbox', '--outbox', join(box.dir, 'other'), 'cancel', id]), {
    cancelled: [{ id, maybe_stored: false }],
  })
  assert.equal((await box.ok(['outbox', '--outbox', join(box.dir, 'other')])).total, 0)
  assert.equal((await box.fails(['outbox', 'retry', id])).exit, 2)
  assert.deepEqual(await box.ok(['outbox', 'retry']), { retried: [] })
})

test('options that do not go together are refused, and nothing is added', { timeout: 60_000 }, async t => {
  const box = new Sandbox(t)
  for (const args of [
    ['send-message', 'bob', 'x', '--queue', '--wait'],
    ['send-message', 'bob', 'x', '--queue', '--trace'],
    ['send-message', 'bob', 'x', '--queue', '--timeout', '5s'],
    ['send-message', 'bob', 'x', '--expires', '5s'],
    ['send-message', '0:0000.0000', 'x', '--queue'],
    ['send-file', 'bob', 'package.json', '--copy'],
    ['send-file', 'bob', 'package.json', '--queue', '--no-stream'],
    ['send-file', 'bob', 'not-there', '--queue'],
    ['outbox', 'run', '--timeout', '5s'],
  ]) {
    assert.equal((await box.fails(args)).exit, 2, args.join(' '))
  }
  const outbox = join(box.home, 'outbox')
  assert.ok(!existsSync(outbox) || (await box.ok(['outbox'])).total === 0)
})

test('serve --no-outbox leaves alone what waits', { timeout: 60_000 }, async t => {
  const box = new Sandbox(t)
  const node = box.start(['serve', '--json', '--no-outbox'])
  const { data } = JSON.parse(await node.line(/"status"/))
  assert.equal(data.outbox, null)
  await box.ok(['send-message', data.address, 'x', '--queue'])
  assert.equal((await box.ok(['outbox'])).running, false)
})
