import assert from 'node:assert/strict'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { REPLY_HOLD_MS, ReplyWatch } from '#lib/client/replies/reply-watch.js'
import { messageFileName } from '#lib/mailbox/names.js'
import { parseAddress } from '#lib/pilot/address.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.ts'

const PEER = '0:0000.0000.0001'
const OTHER = '0:0000.0000.0002'
const MINE = 'my-request'

interface Fields {
  from?: string
  data?: string
  message_id?: string
  reply_to?: string
}

/** An inbox into which a test writes, at once and whole. */
function inbox(t: TestContext) {
  const dir = tempDir(t)
  let seq = 0
  const put = (fields: Fields, at = Date.now()) => {
    const name = messageFileName('TEXT', BigInt(at) * 1_000_000n, ++seq)
    const record = { type: 'TEXT', from: PEER, data: '', bytes: 0, received_at: 'now', ...fields }
    writeFileSync(join(dir, `.${name}`), JSON.stringify(record))
    renameSync(join(dir, `.${name}`), join(dir, name))
  }
  return { dir, put }
}

/** Fails a test that would wait for ever; none waits for its end. */
const LONG = { timeoutMs: 20_000 }

test('[reply.named] the message that names mine is the reply, whatever came before it', async t => {
  const { dir, put } = inbox(t)
  put({ data: 'was there', reply_to: 'something' })
  await using watch = await ReplyWatch.start(parseAddress(PEER), { inboxDir: dir })
  put({ data: 'no name' })
  put({ data: 'named', reply_to: MINE, message_id: 'theirs' })
  const reply = await watch.reply({ messageId: MINE, ...LONG })
  assert.deepEqual([reply.data, reply.messageId, reply.from], ['named', 'theirs', PEER])
})

test('[reply.named-other] a message that names another request is never taken, and its sender must name mine from then on', async t => {
  const { dir, put } = inbox(t)
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ reply_to: 'of another request' })
  put({ data: 'no name' })
  const waiting = watch.reply({ messageId: MINE, timeoutMs: 300 })
  await assert.rejects(waiting, { code: 'REPLY_TIMED_OUT', name: 'DeliveryError' })
})

test('[reply.untagged] of a peer that names nothing, the oldest message since is the reply, at once', async t => {
  const { dir, put } = inbox(t)
  put({ data: 'old' })
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ data: 'first' })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  assert.equal((await watch.reply({ messageId: MINE, ...LONG })).data, 'first')
})

test('[reply.untagged] messages that come at once are taken in the order of their names', async t => {
  const later = join(tempDir(t), 'later')
  await using watch = await ReplyWatch.start(PEER, { inboxDir: later })
  // The folder appears with both in it.
  const inside = tempDir(t)
  mkdirSync(join(inside, 'x'))
  for (const [n, data] of ['second', 'first'].entries()) {
    const name = messageFileName('TEXT', BigInt(Date.now() - n * 1000) * 1_000_000n, n)
    writeFileSync(
      join(inside, 'x', name),
      JSON.stringify({ type: 'TEXT', from: PEER, data, bytes: 0, received_at: 'now' }),
    )
  }
  renameSync(join(inside, 'x'), later)
  assert.equal((await watch.reply({ ...LONG })).data, 'first')
})

test('[reply.sender] messages of other peers, and those that were there before, are no replies', async t => {
  const { dir, put } = inbox(t)
  // Its time says that it comes later: a clock that was set back.
  put({ data: 'before', reply_to: MINE }, Date.now() + 3_600_000)
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ data: 'of another', from: OTHER })
  put({ data: 'of another that names mine', from: OTHER, reply_to: MINE })
  // Its time says that it came long before.
  put({ data: 'the reply', reply_to: MINE }, Date.now() - 3_600_000)
  assert.equal((await watch.reply({ messageId: MINE, ...LONG })).data, 'the reply')
})

test('[reply.held] of a peer that has named what it replies to, a message without a name is held back', async t => {
  const { dir, put } = inbox(t)
  put({ data: 'earlier', reply_to: 'an earlier request' })
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ data: 'no name' })
  const before = performance.now()
  const waiting = watch.reply({ messageId: MINE, ...LONG })
  await delay(100)
  put({ data: 'the reply', reply_to: MINE })
  assert.equal((await waiting).data, 'the reply')

  await using again = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ data: 'alone' })
  assert.equal((await again.reply({ messageId: MINE, ...LONG })).data, 'alone')
  assert.ok(performance.now() - before >= REPLY_HOLD_MS)
})

test('[reply.held] what is held back is taken when the wait ends', async t => {
  const { dir, put } = inbox(t)
  put({ reply_to: 'an earlier request' })
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ data: 'held' })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const waiting = watch.reply({ messageId: MINE, timeoutMs: 700 })
  const ticking = setInterval(() => t.mock.timers.tick(100), 20)
  t.after(() => clearInterval(ticking))
  assert.equal((await waiting).data, 'held')
})

test('[reply.held] only a peer that has got my id can name it', async t => {
  const { dir, put } = inbox(t)
  put({ reply_to: 'an earlier request' })
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ data: 'no name' })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  assert.equal((await watch.reply({ messageId: MINE, idAccepted: false, ...LONG })).data, 'no name')
})

test('a node that sends to itself does not take its own message for the reply', async t => {
  const { dir, put } = inbox(t)
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  put({ data: 'the request', message_id: MINE })
  const waiting = watch.reply({ messageId: MINE, ...LONG })
  put({ data: 'the reply' })
  assert.equal((await waiting).data, 'the reply')
})

test('a file that is not whole yet is read again', async t => {
  const { dir } = inbox(t)
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  const path = join(dir, messageFileName('TEXT', 0n, 1))
  const json = JSON.stringify({ type: 'TEXT', from: PEER, data: 'whole', bytes: 5, received_at: 'now' })
  writeFileSync(path, json.slice(0, 20))
  const waiting = watch.reply({ ...LONG })
  await delay(100)
  writeFileSync(path, json)
  assert.equal((await waiting).data, 'whole')
})

test('a folder that does not exist yet is waited for; a signal ends the wait', async t => {
  const dir = join(tempDir(t), 'none')
  await using watch = await ReplyWatch.start(PEER, { inboxDir: dir })
  const stop = new AbortController()
  const waiting = watch.reply({ signal: stop.signal, ...LONG })
  stop.abort()
  await assert.rejects(waiting, { code: 'ABORTED' })
})

test('a watch that nobody waits for ends', async t => {
  const watch = await ReplyWatch.start(PEER, { inboxDir: tempDir(t) })
  await watch.close()
  await watch.close()
})

test('a path that is not a folder is an error at the start', async t => {
  const path = join(tempDir(t), 'file')
  writeFileSync(path, '')
  await assert.rejects(ReplyWatch.start(PEER, { inboxDir: path }), { code: 'ENOTDIR' })
})
