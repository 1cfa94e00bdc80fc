import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { coalesce } from '#lib/async/coalesce.js'
import { Fifo } from '#lib/async/queue.js'
import { NoSlotError, Semaphore } from '#lib/async/semaphore.js'

test('semaphore: at most so many at once, in the order they came, also after failures', async () => {
  const semaphore = new Semaphore(3)
  const begun: number[] = []
  let running = 0
  let most = 0
  const runs = Array.from({ length: 50 }, (_, i) =>
    semaphore.run('one', async () => {
      begun.push(i)
      most = Math.max(most, ++running)
      await turn()
      running--
      if (i % 7 === 0) throw new Error('planted')
      return i
    }),
  )
  const results = await Promise.allSettled(runs)
  assert.equal(most, 3)
  assert.deepEqual(
    begun,
    Array.from({ length: 50 }, (_, i) => i),
  )
  assert.equal(results.filter(({ status }) => status === 'rejected').length, 8)
  assert.equal(await semaphore.run('one', async () => 'free again'), 'free again')
})

test('semaphore: owners take turns, and none has more than its slots', async () => {
  const semaphore = new Semaphore(4, 2)
  const begun: string[] = []
  const running: Record<string, number> = { many: 0, few: 0 }
  const run = (owner: string) =>
    semaphore.run(owner, async () => {
      begun.push(owner)
      running[owner] = (running[owner] ?? 0) + 1
      assert.ok((running[owner] ?? 0) <= 2)
      await turn()
      running[owner] = (running[owner] ?? 0) - 1
    })
  const many = Array.from({ length: 100 }, () => run('many'))
  await turn()
  const before = begun.length
  await Promise.all([run('few'), run('few')])
  assert.ok(
    begun.length <= before + 8,
    `${begun.length - before} began before two of another owner were done`,
  )
  await Promise.all(many)
  assert.equal(begun.length, 102)
})

test('semaphore: who waits for too long is told, and takes no slot later', async () => {
  const semaphore = new Semaphore(1)
  let release = () => {}
  const first = semaphore.run('a', () => new Promise<void>(resolve => (release = resolve)))
  const late = semaphore.run('b', async () => assert.fail('it ran'), 1)
  await assert.rejects(late, NoSlotError)
  const patient = semaphore.run('b', async () => 'ran', 60_000)
  release()
  await first
  assert.equal(await patient, 'ran')
})

test('coalesce: calls during a run share the next, and failures go to their own callers', async () => {
  let runs = 0
  let fail = false
  const shared = coalesce(async () => {
    const run = ++runs
    const failing = fail
    await turn()
    if (failing) throw new Error(`run ${run}`)
    return run
  })
  assert.deepEqual(await Promise.all([shared(), shared()]), [1, 1])
  const first = shared()
  await Promise.resolve()
  await Promise.resolve()
  assert.equal(runs, 2)
  const late = [shared(), shared()]
  assert.deepEqual(await Promise.all([first, ...late]), [2, 3, 3])
  fail = true
  await assert.rejects(shared(), /run 4/)
  fail = false
  assert.equal(await shared(), 5)
})

test('fifo: order and length hold over many pushes and shifts', () => {
  const fifo = new Fifo<number>([0, 1])
  let next = 2
  let expected = 0
  for (let i = 0; i < 10_000; i++) {
    fifo.push(next++)
    if (i % 3 !== 0) assert.equal(fifo.shift(), expected++)
    assert.equal(fifo.length, next - expected)
  }
  assert.deepEqual(
    fifo.toArray(),
    Array.from({ length: next - expected }, (_, i) => expected + i),
  )
  while (fifo.length > 0) assert.equal(fifo.shift(), expected++)
  assert.equal(fifo.shift(), undefined)
})
