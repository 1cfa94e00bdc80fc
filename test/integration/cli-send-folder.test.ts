import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { utf8 } from '#lib/bytes.js'
import { Sandbox } from '../helpers/cli.js'
import { makeTree, mixedTree, snapshot, tarOf } from '../helpers/folder-tree.js'

/** A command line, and a service that runs, with its events as they come. */
async function served(t: TestContext, args: readonly string[] = []) {
  const box = new Sandbox(t)
  const serve = box.start(['serve', '--embedded', '--json', ...args])
  const { data } = JSON.parse(await serve.line(/"address"/))
  const event = async (pattern: RegExp) => JSON.parse(await serve.line(pattern)) as Record<string, unknown>
  return { box, serve, event, address: String(data.address), received: String(data.received) }
}

function visibleIn(dir: string): string[] {
  return readdirSync(dir).filter(name => !name.startsWith('.'))
}

test('a folder of 2,000 files arrives identical', async t => {
  const { box, event, address, received } = await served(t)
  const source = mixedTree(join(box.dir, 'ordner ☂'))
  const scripts = ['latin', 'кириллица', '漢字', 'हिन्दी']
  for (let i = 0; i < 2_000; i++) {
    const folder = join(source, `${scripts[i % 4]} ${i % 40}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${i} ${scripts[(i + 1) % 4]}`), i % 10 === 0 ? '' : `content of ${i}`)
  }
  const before = snapshot(source)
  const sent = await box.ok(['send-file', address, source])
  assert.deepEqual([sent.filename, sent.transport, sent.skipped], ['ordner ☂.tar', 'filestream', []])
  assert.ok(sent.files >= 2_000)
  const { event: topic, folder, files, path, filename, size } = await event(/"file\.received"/)
  assert.deepEqual(
    [topic, folder, files, filename, size],
    ['file.received', true, sent.files, 'ordner ☂.tar', sent.bytes],
  )
  assert.deepEqual(snapshot(String(path)), before)
  assert.deepEqual(
    visibleIn(received).map(name => join(received, name)),
    [path],
  )

  const listed = await box.ok(['received'])
  assert.deepEqual(
    listed.files.map(({ name, folder, files, original_name, sha256 }: Record<string, unknown>) => [
      join(received, String(name)),
      folder,
      files,
      original_name,
      sha256,
    ]),
    [[path, true, sent.files, 'ordner ☂.tar', sent.sha256]],
  )
  assert.match((await box.run(['received'])).stdout, /ordner ☂-\S+\/ {2}\(2\d\d\d files\)/)
  const { cleared } = await box.ok(['received', '--clear'])
  assert.equal(cleared, 1)
  assert.deepEqual(visibleIn(received), [])
})

test('with --no-unpack it stays an archive, which tar unpacks', async t => {
  const { box, event, address } = await served(t, ['--no-unpack'])
  const source = mixedTree(join(box.dir, 'x'))
  const sent = await box.ok(['send-file', address, `${source}/`, '--name', 'backup'])
  assert.equal(sent.filename, 'backup.tar')
  const { path, folder } = await event(/"file\.received"/)
  assert.equal(folder, undefined)
  assert.equal(
    createHash('sha256')
      .update(readFileSync(String(path)))
      .digest('hex'),
    sent.sha256,
  )
  if (spawnSync('tar', ['--version']).status !== 0) return t.diagnostic('no tar')
  const out = join(box.dir, 'out')
  mkdirSync(out)
  execFileSync('tar', ['xpf', String(path)], { cwd: out })
  assert.deepEqual(snapshot(join(out, 'backup')), snapshot(source))
})

test('a folder sent in one frame arrives too, and is told to a person', async t => {
  const box = new Sandbox(t)
  const serve = box.start(['serve', '--embedded'])
  await serve.line(/send-message/)
  const address = (await serve.line(/^address/)).split(/\s+/)[1] ?? ''
  const source = makeTree(join(box.dir, 'x'), { a: 'abc', 'b/c': 'd' })
  const { code, stdout } = await box.run(['send-file', address, source, '--no-stream'])
  assert.equal(code, 0)
  assert.match(stdout, /^ACK FILE \d+ bytes {2}x\.tar to .*\(2 files\)/)
  assert.match(await serve.line(/folder x\.tar/), /folder x\.tar, 2 files, 4 B, stored as .*\/x-[\d.-]+$/)
})

test('a folder that stays an archive is printed with its reason', async t => {
  const { box, event, address } = await served(t)
  const manifest = '{"format":"pilot-folder","version":1,"root":"f","files":0,"folders":0,"bytes":0}'
  const path = join(box.dir, 'f.tar')
  const entry = { path: 'f/../../evil', content: utf8('x') }
  writeFileSync(path, tarOf([{ path: '.pilot-manifest.json', content: utf8(manifest) }, entry]))
  await box.ok(['send-file', address, path])
  const kept = await event(/"folder\.kept"/)
  assert.equal(kept.filename, 'f.tar')
  assert.match(String(kept.reason), /leads out of its folder/)
  assert.deepEqual(readFileSync(String(kept.path)), readFileSync(path))
})

test('links are an error, or left out and told', async t => {
  const { box, event, address } = await served(t)
  const source = makeTree(join(box.dir, 'x'), { a: 'abc' })
  symlinkSync('a', join(source, 'link'))
  const failed = await box.fails(['send-file', address, source])
  assert.equal(failed.code, 'invalid_argument')
  assert.match(failed.message, /x\/link is a symbolic link.*--skip-special/)
  const sent = await box.ok(['send-file', address, source, '--skip-special'])
  assert.deepEqual([sent.files, sent.skipped], [1, ['link']])
  const { path } = await event(/"file\.received"/)
  assert.deepEqual(Object.keys(snapshot(String(path))), ['a'])
})

test('stdin is sent as a file under the name that it is given', async t => {
  const { box, event, address } = await served(t)
  const content = randomBytes(3_000_000)
  const sent = await box.ok(['send-file', address, '-', '--name', 'dump.sql'], content)
  assert.deepEqual([sent.filename, sent.bytes, sent.verified], ['dump.sql', content.length, true])
  const { path } = await event(/"file\.received"/)
  assert.deepEqual(readFileSync(String(path)), content)
  const empty = await box.ok(['send-file', address, '-', '--name', 'empty'])
  assert.equal(empty.bytes, 0)
})

test('stdin without a name is an error that says so, before it is read', async t => {
  const box = new Sandbox(t)
  const { code, message, hint } = await box.fails(['send-file', '0:0000.0000.0001', '-'])
  assert.deepEqual([code, message], ['invalid_argument', 'what comes from stdin has no name'])
  assert.match(hint, /--name/)
})

test('a folder and stdin can wait in the outbox, as copies', async t => {
  const { box, event, address } = await served(t)
  const source = makeTree(join(box.dir, 'x'), { a: 'abc', 'd/': '' })
  const queued = await box.ok(['send-file', address, source, '--queue'])
  assert.deepEqual([queued.filename, queued.queued, queued.copied], ['x.tar', true, true])
  assert.deepEqual(
    (await box.ok(['send-file', address, '-', '--name', 'n', '--queue'], 'from stdin')).copied,
    true,
  )
  const { path } = await event(/"file\.received".*"folder":true/)
  assert.deepEqual(snapshot(String(path)), snapshot(source))
  const other = await event(/"file\.received".*"filename":"n"/)
  assert.equal(readFileSync(String(other.path), 'utf8'), 'from stdin')
})
