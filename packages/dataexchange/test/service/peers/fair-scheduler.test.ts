import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairScheduler } from '#lib/service/peers/fair-scheduler.js'

test('a short piece of work runs at once', async () => {
  const turns = new FairScheduler()
  const done: string[] = []
  void turns.run({}, () => done.push('a'))
  void turns.run({}, () => done.push('b'))
  assert.deepEqual(done, ['a', 'b'])
})

test('under load peers take turns, however much work each has', async () => {
  const turns = new FairScheduler()
  const [greedy, modest] = [{}, {}]
  const done: string[] = []
  const work = (name: string) => () => {
    done.push(name)
    for (const until = performance.now() + 3; performance.now() < until; );
  }
  const all = Array.from({ length: 10 }, () => turns.run(greedy, work('greedy')))
  all.push(turns.run(modest, work('modest')))
  await Promise.all(all)
  assert.equal(done.length, 11)
  assert.ok(done.indexOf('modest') <= 3, done.join(' '))
})

test('an error of a piece of work goes to its own caller; other work continues', async () => {
  const turns = new FairScheduler()
  const peer = {}
  const slow = () => {
    for (const until = performance.now() + 3; performance.now() < until; );
  }
  const first = turns.run(peer, slow)
  const second = turns.run(peer, () => {
    throw new Error('broken')
  })
  const third = turns.run(peer, slow)
  await assert.rejects(second, /broken/)
  await Promise.all([first, third])
})
