import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairScheduler } from '#lib/service/peers/fair-scheduler.js'

test('where there is little to do, work is done at once', async () => {
  const turns = new FairScheduler()
  const done: string[] = []
  void turns.run({}, () => done.push('a'))
  void turns.run({}, () => done.push('b'))
  assert.deepEqual(done, ['a', 'b'])
})

test('where there is much to do, peers take turns, however much each of them has', async () => {
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

test('what a piece of work throws goes to its own caller, and the others go on', async () => {
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
