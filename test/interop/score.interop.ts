import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ABUSE_CASES, type Subject } from './abuse.js'
import { IS_OLD, originalBox } from './original.js'
import { TestRegistry } from './registry.js'

// Every case once against the service of the original's daemon, and once against ours on that daemon.

const skip = IS_OLD ? 'the scores compare with the newest version only' : false

test('the same abuse of both services: ours stands it, and the scores are printed', { skip }, async t => {
  const lines: string[] = []
  for (const { name, run } of ABUSE_CASES) {
    await t.test(name, async t => {
      const theirs = await run(starter(t, 'theirs'))
      const ours = await run(starter(t, 'ours'))
      lines.push(`| ${name} | ${ours.seen} | ${theirs.seen} |`)
      assert.ok(ours.isGood, ours.seen)
    })
  }
  console.log(['| case | ours | theirs |', '| --- | --- | --- |', ...lines].join('\n'))
})

/** Starts nodes that share one home, each with a daemon of its own. */
function starter(t: TestContext, whose: 'ours' | 'theirs'): () => Promise<Subject> {
  let home: string | undefined
  let count = 0
  return async () => {
    const registry = await TestRegistry.start()
    t.after(() => registry.close())
    const box = originalBox(t, registry)
    home ??= box.dir
    // One home for all of them; sockets and identities of their own.
    box.env.HOME = home
    mkdirSync(join(home, '.pilot'), { recursive: true, mode: 0o700 })
    const daemon = await box.daemon(`node${count++}`, ...(whose === 'ours' ? ['-no-dataexchange'] : []))
    const pid = whose === 'ours' ? (await box.serve()).running.child.pid : daemon.child.pid
    return { socket: box.socket, pid: Number(pid), home: join(home, '.pilot') }
  }
}
