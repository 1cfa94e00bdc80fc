import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { NoSlotError, Semaphore } from '#lib/async/semaphore.js'

test('at most `slots` tasks run at once, in the order of the calls, also after failures', async () => {
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

test('owners take turns, and none exceeds its slots', async () => {
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
  assert.ok(begun.length <= before + 8, `${begun.length - before} began before two of another owner ended`)
  await Promise.all(many)
  assert.equal(begun.length, 102)
})

test('a wait that times out rejects and takes no slot later', async () => {
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
