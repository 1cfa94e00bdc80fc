import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PendingAnswers } from '#lib/client/pending-answers.js'
import { text } from '../../../../test/helpers/service-harness.ts'

function waiter(log: string[], name: string) {
  return {
    resolve: (frame: { payload: Uint8Array } | null) => {
      log.push(`${name}: ${frame === null ? 'end' : Buffer.from(frame.payload).toString()}`)
    },
    reject: (error: unknown) => {
      log.push(`${name}: ${(error as { code?: string }).code}`)
    },
  }
}

test('answers go to deliveries and to recv() in the order of the frames that they answer', () => {
  const log: string[] = []
  const inbox = new PendingAnswers()
  inbox.expectAnswer(waiter(log, 'first'))
  inbox.expectAnswer(null)
  inbox.expectAnswer(waiter(log, 'third'))
  inbox.receive(waiter(log, 'recv'))
  for (const answer of ['1', '2', '3']) inbox.arrived(text(answer))
  assert.deepEqual(log, ['first: 1', 'recv: 2', 'third: 3'])
})

test('a frame that answers nothing waits for recv()', () => {
  const log: string[] = []
  const inbox = new PendingAnswers()
  inbox.arrived(text('early'))
  inbox.receive(waiter(log, 'recv'))
  assert.deepEqual(log, ['recv: early'])
})

test('a receiver that gave up gets nothing; the next one does', () => {
  const log: string[] = []
  const inbox = new PendingAnswers()
  const gone = waiter(log, 'gone')
  inbox.receive(gone)
  inbox.forget(gone)
  inbox.receive(waiter(log, 'next'))
  inbox.arrived(text('x'))
  assert.deepEqual(log, ['next: x'])
})

test('at the end deliveries fail; recv() gets null after a clean end and the error after another', () => {
  const log: string[] = []
  const clean = new PendingAnswers()
  clean.expectAnswer(waiter(log, 'delivery'))
  clean.receive(waiter(log, 'recv'))
  clean.ended()
  clean.receive(waiter(log, 'later'))
  clean.expectAnswer(waiter(log, 'too late'))
  assert.deepEqual(log, [
    'delivery: CONNECTION_CLOSED',
    'recv: end',
    'later: end',
    'too late: CONNECTION_CLOSED',
  ])

  log.length = 0
  const broken = new PendingAnswers()
  broken.receive(waiter(log, 'recv'))
  broken.ended(Object.assign(new Error(), { code: 'EPIPE' }))
  broken.receive(waiter(log, 'later'))
  assert.deepEqual(log, ['recv: EPIPE', 'later: EPIPE'])
})

test('it wants frames only while somebody waits, and not past its bounds', () => {
  const inbox = new PendingAnswers()
  assert.equal(inbox.wantsMore, false)
  inbox.expectAnswer(null)
  assert.equal(inbox.wantsMore, false)
  inbox.expectAnswer(waiter([], 'delivery'))
  assert.equal(inbox.wantsMore, true)
  for (let i = 0; i < 1_024; i++) {
    inbox.expectAnswer(null)
    inbox.expectAnswer(waiter([], 'delivery'))
  }
  inbox.arrived(text('for recv'))
  inbox.arrived(text('for the delivery'))
  assert.equal(inbox.wantsMore, true)
  for (let i = 0; i < 1_023; i++) {
    inbox.arrived(text('r'))
    inbox.arrived(text('d'))
  }
  assert.equal(inbox.wantsMore, false)
})
