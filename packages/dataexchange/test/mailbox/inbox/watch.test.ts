import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type WatchInboxOptions, watchInbox } from '#lib/mailbox/inbox/watch.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

const nameOf = (seq: number) => `TEXT-20260101-100000.000-00000${seq}.json`

function jsonOf(from: string, data: string): string {
  return JSON.stringify({ type: 'TEXT', from, data, bytes: data.length, received_at: 'then' })
}

/** Watches `dir`, calls `write` once the watch has begun, and resolves with the first `count` messages. */
async function watchFor(
  dir: string,
  write: () => void,
  count: number,
  options: WatchInboxOptions = {},
): Promise<string[]> {
  const found: string[] = []
  const stop = new AbortController()
  for await (const message of watchInbox(dir, { ...options, onReady: write, signal: stop.signal })) {
    found.push('damaged' in message ? `damaged ${message.id}` : message.data)
    if (found.length === count) stop.abort()
  }
  return found
}

test('yields messages that arrive after the watch has begun, oldest first, also in a new folder', async t => {
  const dir = join(tempDir(t), 'inbox')
  const found = await watchFor(
    dir,
    () => {
      mkdirSync(dir)
      for (const seq of [3, 1, 2]) writeFileSync(join(dir, nameOf(seq)), jsonOf('a', `${seq}`))
      writeFileSync(join(dir, '.hidden.json'), jsonOf('a', 'hidden'))
    },
    3,
  )
  assert.deepEqual(found.sort(), ['1', '2', '3'])
})

test('leaves out older messages, and those that do not match', async t => {
  const dir = tempDir(t)
  writeFileSync(join(dir, nameOf(1)), jsonOf('a', 'old hello'))
  const write = () => {
    writeFileSync(join(dir, nameOf(2)), jsonOf('b', 'hello'))
    writeFileSync(join(dir, nameOf(3)), jsonOf('a', 'other'))
    writeFileSync(join(dir, nameOf(4)), jsonOf('a', 'Hello'))
  }
  assert.deepEqual(await watchFor(dir, write, 1, { from: 'a', text: 'hello' }), ['Hello'])
})

test('a message that is still being written is yielded when it is complete; a damaged one after two seconds', async t => {
  const dir = tempDir(t)
  const json = jsonOf('a', 'late')
  const write = () => {
    writeFileSync(join(dir, nameOf(1)), json.slice(0, 20))
    writeFileSync(join(dir, nameOf(2)), '{')
    setTimeout(() => writeFileSync(join(dir, nameOf(1)), json), 200)
  }
  assert.deepEqual(await watchFor(dir, write, 2), ['late', `damaged ${nameOf(2).replace('.json', '')}`])
})

test('ends with the signal, also while it reads damaged messages again', async t => {
  const dir = tempDir(t)
  const stop = new AbortController()
  const onReady = () => {
    writeFileSync(join(dir, nameOf(1)), '{')
    setTimeout(() => stop.abort(), 300)
  }
  const begun = Date.now()
  for await (const message of watchInbox(dir, { onReady, signal: stop.signal })) assert.fail(message.id)
  assert.ok(Date.now() - begun < 1_500)
})
