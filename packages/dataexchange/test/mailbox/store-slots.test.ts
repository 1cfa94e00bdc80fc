import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { failure, replaceHandle } from '../helpers/faulty-fs.js'
import { tempMailbox } from '../helpers/temp-mailbox.js'

const MiB = 1024 * 1024

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')

function buffered(): number {
  gc()
  return process.memoryUsage().arrayBuffers
}

/** Each byte takes six bytes in JSON. */
const controls = (size: number): Buffer => Buffer.alloc(size, 1)

for (const [what, payload, count] of [
  ['messages for the journal', controls(20_000), 500],
  ['larger messages', controls(256 * 1024), 60],
  ['larger messages that are not UTF-8', Buffer.concat([Buffer.of(0xff), controls(256 * 1024 - 1)]), 60],
] as const) {
  test(`while the disk hangs, ${what} that wait for a slot are not rendered`, async t => {
    const mailbox = await tempMailbox(t)
    let fail = () => {}
    const answer = new Promise<void>((_, reject) => {
      fail = () => reject(failure('EIO'))
    })
    let asked = () => {}
    const isAsked = new Promise<void>(resolve => {
      asked = resolve
    })
    await replaceHandle(t, 'datasync', () => () => {
      asked()
      return answer
    })
    const before = buffered()
    const message = { type: 'TEXT', from: '0:0000.0000.0001', length: payload.length }
    const stores = Array.from({ length: count }, () => mailbox.storeMessage(message, payload))
    const settled = Promise.allSettled(stores)
    await isAsked
    const more = buffered() - before
    fail()
    const outcomes = await settled
    assert.ok(outcomes.every(({ status }) => status === 'rejected'))
    assert.ok(more < 32 * MiB, `${Math.round(more / MiB)} MiB more in memory`)
  })
}
