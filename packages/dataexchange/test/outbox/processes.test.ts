import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Outbox } from '#lib/outbox/outbox.js'
import { addService, FakeNet, OutboxRun, openOutbox, until } from '../../../../test/helpers/outbox-harness.ts'
import { spawnLine } from '../../../../test/helpers/spawn-line.ts'
import { tempDir } from '../../../../test/helpers/temp-dir.ts'

/** A process that runs the outbox in `dir`, on a network without anybody. */
const holder = (t: TestContext, dir: string) => spawnLine(t, 'outbox-child.js', dir)

test('one process runs an outbox; one that waits takes over as soon as it is killed', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const { child } = await holder(t, outbox.dir)
  const bob = await addService(t, net)
  await outbox.add('bob', { text: 'hello' })
  const waiting = run()
  await until(async () => (await outbox.list())[0]?.lastError !== undefined)
  assert.deepEqual(net.dialled, [])
  assert.equal((await outbox.counts()).running, true)
  child.kill('SIGKILL')
  await waiting.told(1)
  assert.equal(bob.messages().length, 1)
})

test('of eight that want to run it at once, one at a time does', async t => {
  const dir = join(tempDir(t), 'outbox')
  const nets = Array.from({ length: 8 }, () => new FakeNet())
  const runs = await Promise.all(
    nets.map(async net => new OutboxRun(await Outbox.open({ dir }), net, { retryMinMs: 5, retryMaxMs: 5 })),
  )
  t.after(() => Promise.all(runs.map(run => run.stop())))
  await (await Outbox.open({ dir })).add('7', { text: 'x' })
  for (let left = runs.length; left > 0; left--) {
    await until(() => nets.some(({ dialled }) => dialled.length > 2))
    const active = nets.filter(({ dialled }) => dialled.length > 0)
    assert.equal(active.length, 1)
    const at = nets.findIndex(({ dialled }) => dialled.length > 0)
    await runs[at]?.stop()
    nets[at]?.dialled.splice(0)
  }
})

test('what another process adds, retries and removes is noticed while it is run', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const other = await Outbox.open({ dir: outbox.dir })
  await addService(t, net)
  const running = run({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 })
  await until(async () => (await outbox.counts()).running)
  const at = performance.now()
  await other.add('bob', { text: 'x' })
  await running.told(1)
  // Long before the look that is made every 2 s for file systems that tell nothing.
  assert.ok(performance.now() - at < 1_500)

  const id = await other.add('7', { text: 'nobody there' })
  await until(async () => (await other.list())[0]?.lastError !== undefined)
  await other.retry(id)
  await until(() => net.dialled.filter(to => to === '0:0000.0000.0007').length === 2)
  await other.cancel(id)
  await until(() => readdirSync(outbox.dir).every(name => !name.endsWith('.try')))
})

test('untilEmpty of one that waits ends when the other has sent it all', async t => {
  const { outbox, net, run } = await openOutbox(t)
  await addService(t, net)
  const first = run()
  await until(async () => (await outbox.counts()).running)
  const second = new OutboxRun(await Outbox.open({ dir: outbox.dir }), new FakeNet(), { untilEmpty: true })
  await outbox.add('bob', { text: 'x' })
  await first.told(1)
  await second.ended
})

test('what a process that died was adding is swept, and leftovers without an entry go', async t => {
  const { outbox, dir, net, run } = await openOutbox(t)
  const torn = join(dir, '.tmp', `999999999-${'0'.repeat(16)}-1.tmp`)
  const orphan = join(dir, `${'1'.padStart(16, '0')}-100-gone.failed`)
  mkdirSync(join(dir, '.tmp'), { recursive: true })
  writeFileSync(torn, 'half')
  writeFileSync(orphan, '{}')
  await addService(t, net)
  await outbox.add('bob', { text: 'x' })
  await run().told(1)
  assert.ok(!existsSync(torn))
  assert.ok(!existsSync(orphan))
})

test('an outbox is not run twice by one object, nor in a folder whose path is too long for its lock', async t => {
  const { outbox, run } = await openOutbox(t)
  run()
  await assert.rejects(outbox.run({ driver: new FakeNet() }), { code: 'CONFIG_INVALID' })
  const deep = await Outbox.open({ dir: join(tempDir(t), 'x'.repeat(120)) })
  await deep.add('bob', { text: 'x' })
  assert.equal((await deep.counts()).running, false)
  await assert.rejects(deep.run({ driver: new FakeNet() }), {
    code: 'CONFIG_INVALID',
    message: /shorter path/,
  })
})

test('an outbox whose folder has been removed is made again', async t => {
  const { outbox, dir, net, run } = await openOutbox(t)
  await addService(t, net)
  await outbox.add('bob', { text: 'lost' })
  rmSync(dir, { recursive: true })
  await outbox.add('bob', { text: 'x' })
  await run().told(1)
})
