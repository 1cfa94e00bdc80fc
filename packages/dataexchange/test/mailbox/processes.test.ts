import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { namesIn, readMessage, tempDir, tempMailbox, temporariesIn } from '../helpers/temp-mailbox.js'

const CHILD = fileURLToPath(new URL('../helpers/store-child.js', import.meta.url))

interface Report {
  path: string
  bytes: number
}

function start(
  inboxDir: string,
  receivedDir: string,
  count: number,
): { child: ChildProcess; stored: Report[] } {
  const stored: Report[] = []
  const child = fork(CHILD, [inboxDir, receivedDir, String(count)])
  child.on('message', report => stored.push(report as Report))
  return { child, stored }
}

/** Checks that each message in `dir` is whole, and returns their number. */
async function checkMessages(dir: string): Promise<number> {
  const names = await namesIn(dir)
  for (const name of names) {
    const { data, bytes } = await readMessage(join(dir, name))
    assert.equal(String(data).length, bytes)
  }
  return names.length
}

async function checkReported(stored: readonly Report[]): Promise<void> {
  for (const { path, bytes } of stored) {
    if (path.endsWith('.json')) assert.equal((await readMessage(path)).bytes, bytes)
    else assert.equal((await stat(path)).size, bytes)
  }
}

test('two processes on one folder: every store gives a file of its own', async t => {
  const root = await tempDir(t)
  const [inbox, received] = [join(root, 'inbox'), join(root, 'received')]
  const runs = [start(inbox, received, 25), start(inbox, received, 25)]
  const exits = await Promise.all(runs.map(({ child }) => once(child, 'exit')))
  assert.deepEqual(exits, [
    [0, null],
    [0, null],
  ])
  const stored = runs.flatMap(run => run.stored)
  assert.equal(stored.length, 400)
  assert.equal(new Set(stored.map(({ path }) => path)).size, 400)
  assert.equal(await checkMessages(inbox), 320)
  assert.equal((await namesIn(received)).length, 80)
  await checkReported(stored)
  for (const dir of [inbox, received]) assert.deepEqual(await temporariesIn(dir), [])
})

test('[disk.no-torn] after SIGKILL at any moment no file is torn, no reported one is lost, and temporary files are swept', async t => {
  const root = await tempDir(t)
  const [inbox, received] = [join(root, 'inbox'), join(root, 'received')]
  const all: Report[] = []
  for (let round = 0; round < 6; round++) {
    const { child, stored } = start(inbox, received, 1_000_000)
    while (stored.length < 1 + round * 23) await once(child, 'message')
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.ok(stored.length > 0)
    await checkMessages(inbox)
    all.push(...stored)
  }
  const mailbox = await Mailbox.open({ inboxDir: inbox, receivedDir: received })
  await checkReported(all)
  for (const dir of [inbox, received]) assert.deepEqual(await temporariesIn(dir), [])
  await mailbox.close()
})

test('only abandoned temporary files are swept', async t => {
  const inboxDir = join(await tempDir(t), 'inbox')
  const temporaries = join(inboxDir, '.tmp')
  await mkdir(temporaries, { recursive: true })
  const token = '0123456789abcdef'
  const { child } = start(join(inboxDir, '..', 'other'), join(inboxDir, '..', 'files'), 0)
  await once(child, 'exit')
  const hoursAgo = Date.now() / 1000 - 7200
  const plant = async (name: string, old: boolean) => {
    await writeFile(join(temporaries, name), 'half')
    if (old) await utimes(join(temporaries, name), hoursAgo, hoursAgo)
  }
  await plant(`${child.pid}-${token}-1.tmp`, false)
  await plant(`${process.ppid}-${token}-1.tmp`, false)
  await plant(`${process.ppid}-${token}-2.tmp`, true)
  await plant(`${process.pid}-${token}-1.tmp`, false)
  await plant(`${process.pid}-${token}-2.tmp`, true)
  await plant('TEXT-20200101-000000.000-000001.json.claim', false)
  await plant('TEXT-20200101-000000.000-000002.json.claim', true)
  await writeFile(join(inboxDir, 'not a temporary.tmp'), '')

  await tempMailbox(t, { inboxDir })
  assert.deepEqual(
    (await temporariesIn(inboxDir)).sort(),
    [
      `${process.ppid}-${token}-1.tmp`,
      `${process.pid}-${token}-1.tmp`,
      'TEXT-20200101-000000.000-000001.json.claim',
    ].sort(),
  )
  assert.deepEqual(await namesIn(inboxDir), ['not a temporary.tmp'])
})

test('a second mailbox of the same process leaves the temporary files of the first alone', async t => {
  const first = await tempMailbox(t)
  let go = () => {}
  const held = new Promise<void>(resolve => {
    go = resolve
  })
  let begun = () => {}
  const started = new Promise<void>(resolve => {
    begun = resolve
  })
  async function* slow() {
    yield Buffer.from('a')
    begun()
    await held
    yield Buffer.from('b')
  }
  const store = first.storeFile({ filename: 'f', length: 2 }, slow())
  await started
  const { inboxDir, receivedDir } = first
  const hoursAgo = Date.now() / 1000 - 7200
  for (const name of await temporariesIn(receivedDir)) {
    await utimes(join(receivedDir, '.tmp', name), hoursAgo, hoursAgo)
  }
  const second = await Mailbox.open({ inboxDir, receivedDir })
  assert.equal((await temporariesIn(receivedDir)).length, 1)
  go()
  assert.equal((await stat((await store).path)).size, 2)
  await second.close()
})
