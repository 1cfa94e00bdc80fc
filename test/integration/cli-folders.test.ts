import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Running, Sandbox } from '../helpers/cli.js'

const ALICE = '0:0000.0000.000A'
const BOB = '0:0000.0000.000B'

/** Puts a file into a folder as the service does: whole at once. */
function put(dir: string, name: string, content: string, ageMs = 0): void {
  mkdirSync(join(dir, '.tmp'), { recursive: true })
  const temporary = join(dir, '.tmp', name)
  writeFileSync(temporary, content)
  const at = (Date.now() - ageMs) / 1000
  utimesSync(temporary, at, at)
  renameSync(temporary, join(dir, name))
}

function message(data: string, from = ALICE, more: object = {}): string {
  return JSON.stringify({ type: 'TEXT', from, data, bytes: data.length, received_at: 'then', ...more })
}

const HOUR = 3_600_000

/** An inbox with three messages, the newest by another peer, and all that is no message. */
function filled(t: { after(end: () => Promise<void>): void }): { box: Sandbox; dir: string } {
  const box = new Sandbox(t)
  const dir = join(box.home, 'inbox')
  put(dir, 'TEXT-20260101-100000.000-000001.json', message('first'), 48 * HOUR)
  put(dir, 'JSON-20260101-110000.000-000002.json', message('second'), 2 * HOUR)
  put(
    dir,
    'TEXT-20260101-110000.000-000010.json',
    message('third', BOB, { message_id: 'm1', reply_to: 'm0' }),
  )
  put(dir, '.hidden.json', message('hidden'))
  put(dir, 'note.txt', 'not a message')
  mkdirSync(join(dir, 'sub.json'))
  return { box, dir }
}

test('inbox lists newest first, with a preview', async t => {
  const { box, dir } = filled(t)
  const { messages, ...rest } = await box.ok(['inbox'])
  assert.deepEqual(rest, { total: 3, shown: 3, dir })
  assert.deepEqual(messages[0], {
    id: 'TEXT-20260101-110000.000-000010',
    from: BOB,
    received_at: 'then',
    type: 'TEXT',
    bytes: 5,
    message_id: 'm1',
    reply_to: 'm0',
    preview: 'third',
  })
  assert.deepEqual(
    messages.map(({ preview }: { preview: string }) => preview),
    ['third', 'second', 'first'],
  )
})

test('inbox selects by number, sender and time', async t => {
  const { box } = filled(t)
  const previews = async (...args: string[]) => {
    const { messages, total } = await box.ok(['inbox', ...args])
    return [total, ...messages.map(({ preview }: { preview: string }) => preview)]
  }
  assert.deepEqual(await previews('--limit', '2'), [3, 'third', 'second'])
  assert.deepEqual(await previews('--latest'), [3, 'third'])
  assert.deepEqual(await previews('--from', ALICE.toLowerCase(), '--limit', '1'), [2, 'second'])
  assert.deepEqual(await previews('--since', '3h'), [2, 'third', 'second'])
  assert.deepEqual(await previews('--since', new Date(Date.now() - HOUR).toISOString()), [1, 'third'])
})

test('ten are listed unless --limit says otherwise, and the text says so', async t => {
  const box = new Sandbox(t)
  const dir = join(box.home, 'inbox')
  for (let i = 10; i < 22; i++) put(dir, `TEXT-20260101-100000.000-0000${i}.json`, message(`no ${i}`))
  assert.equal((await box.ok(['inbox'])).shown, 10)
  assert.equal((await box.ok(['inbox', '--limit', '0'])).shown, 12)
  const { stdout } = await box.run(['inbox'])
  assert.match(stdout, /^TEXT-20260101-100000.000-000021 {2}0:0000.0000.000A {2}5 {2}no 21\n/)
  assert.match(stdout, /\n\n10 of 12 messages in .*\(--limit 0 lists all\)\n$/)
})

test('a preview ends after 120 code points; --full and read give all', async t => {
  const box = new Sandbox(t)
  const text = `${'🙂'.repeat(130)}\nFrom: nobody`
  put(join(box.home, 'inbox'), 'TEXT-20260101-100000.000-000001.json', message(text))
  const [listed] = (await box.ok(['inbox'])).messages
  assert.equal(listed.preview, `${'🙂'.repeat(120)}…`)
  assert.equal((await box.ok(['inbox', '--full'])).messages[0].data, text)
  assert.equal((await box.run(['inbox', 'read', listed.id])).stdout, text)
  assert.equal((await box.run(['inbox', 'read', `${listed.id}.json`])).stdout, text)
  assert.equal((await box.ok(['inbox', 'read', listed.id])).data, text)
  const { stdout } = await box.run(['inbox', '--full'])
  assert.match(stdout, /\n {4}From: nobody\n/, 'set in, so that it passes for no head')
})

test('a damaged message is listed as such, and cannot be read', async t => {
  const box = new Sandbox(t)
  const dir = join(box.home, 'inbox')
  put(dir, 'TEXT-20260101-100000.000-000001.json', '{"type":"TEXT","fr')
  put(dir, 'TEXT-20260101-100000.000-000002.json', '[]')
  put(dir, 'TEXT-20260101-100000.000-000003.json', message('good'))
  const { messages } = await box.ok(['inbox'])
  assert.deepEqual(
    messages.map((m: { damaged?: string }) => m.damaged !== undefined),
    [false, true, true],
  )
  assert.match((await box.run(['inbox'])).stdout, /000001 .*<damaged: /)
  assert.equal((await box.fails(['inbox', 'read', messages[1].id])).exit, 1)
})

test('records of the original, and of newer versions without data, are read', async t => {
  const box = new Sandbox(t)
  const dir = join(box.home, 'inbox')
  const bytes = Buffer.from([0, 255])
  const binary = { type: 'BINARY', data: undefined, data_encoding: 'base64', bytes: 2 }
  put(
    dir,
    'BINARY-20260101-100000.000-000001.json',
    message('', BOB, { ...binary, data_b64: bytes.toString('base64') }),
  )
  const [{ id, preview }] = (await box.ok(['inbox'])).messages
  assert.equal(preview, '<2 bytes, base64>')
  assert.match(
    (await box.run(['inbox', '--full'])).stdout,
    /<2 bytes that are not text: pilot-dx inbox read /,
  )
  assert.equal((await box.ok(['inbox', 'read', id])).data_b64, 'AP8=')
})

test('inbox --clear removes messages and nothing else', async t => {
  const { box, dir } = filled(t)
  assert.deepEqual(await box.ok(['inbox', '--clear', '--before', '24h']), { cleared: 1, remaining: 2 })
  assert.ok(!existsSync(join(dir, 'TEXT-20260101-100000.000-000001.json')), 'the oldest went')
  assert.equal((await box.run(['inbox', '--clear'])).stdout, 'removed 2 messages, 0 left\n')
  assert.deepEqual(readdirSync(dir).sort(), ['.hidden.json', '.tmp', 'note.txt', 'sub.json'])
  assert.deepEqual(await box.ok(['inbox']), { messages: [], total: 0, shown: 0, dir })
})

test('folders that are missing are empty', async t => {
  const box = new Sandbox(t)
  const dir = join(box.dir, 'none')
  assert.deepEqual(await box.ok(['inbox', '--dir', dir]), { messages: [], total: 0, shown: 0, dir })
  assert.deepEqual(await box.ok(['received', '--dir', dir]), { files: [], total: 0, shown: 0, dir })
  assert.deepEqual(await box.ok(['inbox', '--clear']), { cleared: 0, remaining: 0 })
  assert.deepEqual(await box.ok(['received', '--clear']), {
    cleared: 0,
    remaining: 0,
    cleared_partial: 0,
  })
})

test('PILOT_HOME names the home folder, --home another', async t => {
  const { box, dir } = filled(t)
  box.env.PILOT_HOME = join(box.dir, 'other')
  assert.equal((await box.ok(['inbox'])).dir, join(box.dir, 'other', 'inbox'))
  assert.equal((await box.ok(['--home', box.home, 'inbox'])).dir, dir)
})

test('received lists newest first, and clears', async t => {
  const box = new Sandbox(t)
  const dir = join(box.home, 'received')
  put(dir, 'a.txt', 'a', 48 * HOUR)
  put(dir, 'b\n.txt', 'bb', 2 * HOUR)
  put(dir, 'c.txt', 'ccc')
  put(dir, '.partial-x', 'hidden')
  mkdirSync(join(dir, 'folder'))
  const partials = join(dir, '.partial')
  mkdirSync(partials)
  for (const name of [
    `${'0'.repeat(32)}`,
    `${'a'.repeat(32)}-0-0000.0000.000B`,
    `${'a'.repeat(32)}.owner`,
    'other',
  ]) {
    writeFileSync(join(partials, name), 'x')
  }
  const longAgo = new Date(Date.now() - 48 * HOUR)
  utimesSync(join(partials, '0'.repeat(32)), longAgo, longAgo)
  const names = async (...args: string[]) =>
    (await box.ok(['received', ...args])).files.map(({ name }: { name: string }) => name)
  assert.deepEqual(await names(), ['c.txt', 'b\n.txt', 'a.txt'])
  assert.deepEqual(await names('--limit', '1'), ['c.txt'])
  assert.deepEqual(await names('--since', '3h'), ['c.txt', 'b\n.txt'])
  const [file] = (await box.ok(['received', '--limit', '1'])).files
  assert.deepEqual([file.bytes, file.path], [3, join(dir, 'c.txt')])
  assert.match((await box.run(['received'])).stdout, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}2 {2}b\\n\.txt$/m)
  assert.deepEqual(await box.ok(['received', '--clear', '--before', '1d']), {
    cleared: 1,
    remaining: 2,
    cleared_partial: 1,
  })
  assert.deepEqual(await box.ok(['received', '--clear']), { cleared: 2, remaining: 0, cleared_partial: 1 })
  assert.deepEqual(readdirSync(partials), ['other'])
  assert.deepEqual(readdirSync(dir).sort(), ['.partial', '.partial-x', '.tmp', 'folder'])
})

async function ready(watching: Running): Promise<void> {
  await watching.line(/"watching"/)
}

test('inbox --watch tells what comes from then on, into a folder that comes later too', async t => {
  const box = new Sandbox(t)
  const dir = join(box.home, 'inbox')
  put(dir, 'TEXT-20260101-100000.000-000001.json', message('before'))
  const watching = box.start(['inbox', '--watch', '--json', '--from', ALICE])
  const later = box.start(['received', '--watch', '--json'])
  await Promise.all([ready(watching), ready(later)])
  put(dir, 'TEXT-20260101-100000.000-000002.json', message('not mine', BOB))
  put(dir, 'TEXT-20260101-100000.000-000003.json', message('mine'))
  put(join(box.home, 'received'), 'f.txt', 'abc')
  const line = await watching.line(/mine/)
  assert.equal(JSON.parse(line).preview, 'mine')
  assert.equal(JSON.parse(await later.line(/f\.txt/)).bytes, 3)
  watching.child.kill('SIGINT')
  assert.doesNotMatch((await watching.done).stdout, /before|not mine/)
})
