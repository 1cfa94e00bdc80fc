import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArrivingPayload } from '#lib/service/arriving-payload.js'

const bytes = (text: string) => Buffer.from(text)

async function all(body: ArrivingPayload): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const piece of body) parts.push(piece)
  return Buffer.concat(parts).toString()
}

test('pieces are read in order, both those pushed before the read and those pushed later', async () => {
  const body = new ArrivingPayload(() => {})
  body.push(bytes('ab'))
  const read = all(body)
  await Promise.resolve()
  body.push(bytes('c'))
  body.push(bytes('d'))
  body.end(7n)
  assert.equal(await read, 'abcd')
  assert.equal(body.endedAtNs, 7n)
})

test('the backlog counts the bytes that were not taken; onTaken reports those that were', async () => {
  const told: number[] = []
  const body = new ArrivingPayload(bytes => told.push(bytes))
  body.push(bytes('abc'))
  body.push(bytes('d'))
  assert.equal(body.backlog, 4)
  const iterator = body[Symbol.asyncIterator]()
  await iterator.next()
  assert.equal(body.backlog, 1)
  assert.deepEqual(told, [3])
  body.discard()
  body.push(bytes('dropped'))
  assert.deepEqual(told, [3, 1, 7])
})

test('a payload is starving when everything was taken and the reader waits', async () => {
  let wanted = 0
  const body = new ArrivingPayload(
    () => {},
    () => wanted++,
  )
  body.push(bytes('a'))
  assert.deepEqual([body.isStarving, wanted], [false, 0])
  const iterator = body[Symbol.asyncIterator]()
  await iterator.next()
  assert.deepEqual([body.isStarving, wanted], [false, 0])
  const next = iterator.next()
  assert.deepEqual([body.isStarving, wanted], [true, 1])
  body.push(bytes('b'))
  assert.equal(body.isStarving, false)
  assert.equal(String((await next).value), 'b')
})

test('the reader gets the bytes before a failure first', async () => {
  const body = new ArrivingPayload(() => {})
  body.push(bytes('a'))
  body.fail(new Error('cut'))
  const iterator = body[Symbol.asyncIterator]()
  assert.equal(String((await iterator.next()).value), 'a')
  await assert.rejects(iterator.next(), /cut/)
})

test('a failure after the end changes nothing', async () => {
  const body = new ArrivingPayload(() => {})
  body.end(1n)
  body.fail(new Error('late'))
  assert.equal(await all(body), '')
})

test('a discarded payload drops all bytes, also later ones', async () => {
  const body = new ArrivingPayload(() => {})
  body.push(bytes('abc'))
  body.discard()
  body.push(bytes('def'))
  assert.equal(body.backlog, 0)
  assert.equal(await all(body), '')
})

test('a reader that stops discards the rest', async () => {
  const body = new ArrivingPayload(() => {})
  body.push(bytes('abc'))
  for await (const _ of body) break
  body.push(bytes('def'))
  assert.equal(body.backlog, 0)
})
