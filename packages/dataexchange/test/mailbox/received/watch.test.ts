import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import type { ReceivedFile } from '#lib/mailbox/received/read.js'
import { type WatchReceivedOptions, watchReceived } from '#lib/mailbox/received/watch.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

/** Watches `dir`, calls `write` once the watch has begun, and resolves with the first `count` files. */
async function watchFor(
  dir: string,
  write: () => void,
  count: number,
  options: WatchReceivedOptions = {},
): Promise<ReceivedFile[]> {
  const found: ReceivedFile[] = []
  const stop = new AbortController()
  for await (const file of watchReceived(dir, { ...options, onReady: write, signal: stop.signal })) {
    found.push(file)
    if (found.length === count) stop.abort()
  }
  return found
}

test('yields files that arrive after the watch has begun, those of the mailbox with their records', async t => {
  const root = tempDir(t)
  const dir = join(root, 'received')
  const mailbox = await Mailbox.open({ inboxDir: join(root, 'inbox'), receivedDir: dir, durability: 'os' })
  t.after(() => mailbox.close())
  writeFileSync(join(dir, 'old.txt'), 'old')
  const store = () => {
    writeFileSync(join(dir, '.hidden'), '')
    mkdirSync(join(dir, 'of another program'))
    void mailbox.storeFile({ filename: 'a.txt', length: 1, from: 'x' }, Buffer.from('a'))
  }
  const [file] = await watchFor(dir, store, 1)
  assert.deepEqual([file?.originalName, file?.from, file?.size], ['a.txt', 'x', 1])
})

test('leaves out files that do not match', async t => {
  const dir = tempDir(t)
  const write = () => {
    for (const name of ['a.txt', 'report.PDF', 'b.txt']) writeFileSync(join(dir, name), '')
  }
  const found = await watchFor(dir, write, 1, { name: '.pdf' })
  assert.deepEqual(
    found.map(({ name, from }) => [name, from]),
    [['report.PDF', undefined]],
  )
})
