import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MAIN, Sandbox } from '../helpers/cli.js'

/** Puts a message into the inbox, whole at once, and returns its id. */
function put(box: Sandbox, seq: number, data: string): string {
  const dir = join(box.home, 'inbox')
  mkdirSync(dir, { recursive: true })
  const id = `TEXT-20260101-100000.000-00000${seq}`
  const record = { type: 'TEXT', from: '0:0000.0000.000A', data, bytes: data.length, received_at: 'then' }
  writeFileSync(join(box.dir, id), JSON.stringify(record))
  renameSync(join(box.dir, id), join(dir, `${id}.json`))
  return id
}

test('inbox --next hands out one message after the other, --ack is done with it', async t => {
  const box = new Sandbox(t)
  const [first, second] = [put(box, 1, 'one'), put(box, 2, 'two')]
  const taken = await box.ok(['inbox', '--next', '--lease', '10m'])
  const { lease_until: until, ...rest } = taken
  assert.deepEqual(rest, {
    id: first,
    from: '0:0000.0000.000A',
    received_at: 'then',
    type: 'TEXT',
    bytes: 3,
    data: 'one',
    data_encoding: 'utf8',
    group: 'default',
    attempt: 1,
  })
  assert.ok(Math.abs(Date.parse(until) - Date.now() - 600_000) < 60_000)
  assert.equal((await box.run(['inbox', '--next', '--quiet'])).stdout, `${second}\n`)
  assert.deepEqual(await box.fails(['inbox', '--next']), {
    exit: 1,
    code: 'not_found',
    message: 'there is no message for the group default',
    hint: 'with --wait it waits for one',
  })
  assert.equal((await box.run(['inbox', '--ack', first])).stdout, `acknowledged ${first}\n`)
  assert.deepEqual(await box.ok(['inbox', '--ack', `${second}.json`, '--remove']), {
    id: second,
    group: 'default',
    acknowledged: true,
  })
  assert.equal((await box.ok(['inbox'])).total, 1)
  assert.equal((await box.ok(['inbox', '--next', '--group', 'other'])).id, first)
})

test('inbox --next --wait waits, for as long as it is told', async t => {
  const box = new Sandbox(t)
  const timedOut = await box.fails(['inbox', '--next', '--wait', '50ms'])
  assert.deepEqual([timedOut.exit, timedOut.code], [5, 'timeout'])
  const waiting = box.start(['inbox', '--next', '--wait', '--full'])
  // Its folder is there once it looks.
  while (!existsSync(join(box.home, 'inbox', '.consumers', 'default', '.tmp'))) {
    await new Promise(resolve => setImmediate(resolve))
  }
  put(box, 1, 'late')
  assert.match((await waiting.done).stdout, /^TEXT-.*\n {4}late\n/s)
})

test('inbox --nack gives back, and --dead lists what nobody could handle', async t => {
  const box = new Sandbox(t)
  const id = put(box, 1, 'poison')
  for (let attempt = 1; attempt <= 5; attempt++) {
    assert.equal((await box.ok(['inbox', '--next'])).attempt, attempt)
    assert.equal((await box.ok(['inbox', '--nack', id])).given_back, true)
  }
  assert.equal((await box.fails(['inbox', '--next'])).exit, 1)
  const { messages, ...rest } = await box.ok(['inbox', '--dead'])
  assert.deepEqual(rest, { total: 1, group: 'default', dir: join(box.home, 'inbox') })
  assert.deepEqual([messages[0].id, messages[0].preview], [id, 'poison'])
  assert.match((await box.run(['inbox', '--dead', '--full'])).stdout, /poison\n\n1 message of the group/)
  assert.equal((await box.run(['inbox', '--nack', id, '--quiet'])).stdout, '')
  assert.equal((await box.ok(['inbox', '--next'])).attempt, 1)
  await box.ok(['inbox', '--nack', id, '--delay', '1h'])
  assert.equal((await box.fails(['inbox', '--next'])).exit, 1)
})

test('what cannot be is refused', async t => {
  const box = new Sandbox(t)
  put(box, 1, 'one')
  for (const args of [
    ['--wait', '1s'],
    ['--lease', '1m'],
    ['--group', 'a'],
    ['--remove'],
    ['--delay', '1s', '--next'],
    ['--next', '--ack', 'x'],
    ['--ack', 'x', '--nack', 'x'],
    ['--dead', '--clear'],
    ['--next', '--limit', '1'],
    ['--next', '--wait', '30'],
    ['--next', '--lease', '0s'],
    ['--next', '--lease', '2d'],
    ['--next', '--group', '../x'],
    ['--nack', 'x', '--delay', '2d'],
    ['--ack', '../x'],
  ]) {
    const { exit, code } = await box.fails(['inbox', ...args])
    assert.deepEqual([exit, code], [2, 'invalid_argument'], args.join(' '))
  }
  for (const option of ['--ack', '--nack']) {
    const { exit, code } = await box.fails(['inbox', option, 'TEXT-1'])
    assert.deepEqual([exit, code], [2, 'not_found'])
  }
})

test('the shell loop of the README hands each message to a program', async t => {
  const box = new Sandbox(t)
  const [good, bad] = [put(box, 1, 'good\n'), put(box, 2, 'bad\n')]
  const bin = join(box.dir, 'bin')
  mkdirSync(bin)
  const program = (path: string, text: string) => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`)
    chmodSync(path, 0o755)
  }
  // The first message is handled, the second one is not; there is no third.
  const end = 'if [ -e end ] && [ "$2" = --next ]; then exit 5; fi'
  program(join(bin, 'pilot-dx'), `${end}\nexec '${process.execPath}' '${MAIN}' "$@"`)
  program(
    join(box.dir, 'handle'),
    'read line; echo "got $line"; [ "$line" = good ] || { touch end; exit 1; }',
  )
  box.env.PATH = `${bin}:${box.env.PATH}`
  const loop = readFileSync('examples/worker.sh', 'utf8')
  const running = box.startProgram('sh', ['-c', `cd '${box.dir}'\n${loop}`])
  const { stdout } = await running.done
  assert.equal(stdout, `got good\nacknowledged ${good}\ngot bad\ngiven back ${bad}\n`)
  const states = readdirSync(join(box.home, 'inbox', '.consumers', 'default')).filter(name => name !== '.tmp')
  assert.deepEqual(states.sort(), [`${good}.done`, `${bad}.1`])
})

test('received tells where a file came from', async t => {
  const box = new Sandbox(t)
  const dir = join(box.home, 'received')
  const { Mailbox } = await import('#lib/mailbox/mailbox.js')
  const mailbox = await Mailbox.open({ inboxDir: join(box.home, 'inbox'), receivedDir: dir })
  const from = '0:0000.0000.000A'
  const { name } = await mailbox.storeFile(
    { filename: 'a\u202eb.txt', length: 3, from, messageId: 'm1' },
    Buffer.from('abc'),
  )
  await mailbox.close()
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  const [file] = (await box.ok(['received'])).files
  assert.deepEqual(
    [file.name, file.from, file.original_name, file.type, file.sha256, file.message_id],
    [name, from, 'a\u202eb.txt', 'FILE', sha256, 'm1'],
  )
  const { stdout } = await box.run(['received', '--full'])
  assert.match(stdout, new RegExp(`${name}\n {4}from: +${from}\n {4}name: +a\\\\u\\{202e\\}b\\.txt\n`))
  assert.match(stdout, new RegExp(`sha256: +${sha256}`))

  writeFileSync(join(dir, 'other.txt'), 'x')
  writeFileSync(join(dir, '.records', `${name}.json`), '{')
  const full = (await box.run(['received', '--full'])).stdout
  assert.match(full, /other\.txt\n {4}from: +unknown/)
  assert.match(full, /no record: +/)
  const damaged = (await box.ok(['received'])).files.find((f: { name: string }) => f.name === name)
  assert.equal(damaged.from, undefined)
  assert.equal(typeof damaged.damaged_record, 'string')
  utimesSync(join(dir, name), 1, 1)
  await box.ok(['received', '--clear', '--before', '1h'])
  assert.deepEqual(readdirSync(join(dir, '.records')), [])
  unlinkSync(join(dir, 'other.txt'))
})
