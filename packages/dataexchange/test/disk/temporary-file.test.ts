import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { TemporaryFile } from '#lib/disk/temporary-file.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import { setLimit } from '../../../../test/helpers/set-limit.ts'
import { failure, replaceHandle } from '../helpers/faulty-fs.js'
import { tempDir } from '../helpers/temp-mailbox.js'

const PIECE = 16 * 1024
const PIECES = 24
const FILES = 60

/** A disk that answers when it is told to, and what has been given to be written that it has not answered. */
class SlowDisk {
  readonly files: TemporaryFile[] = []
  unwritten = 0
  most = 0
  #waiting: ((fault?: Error) => void)[] = []
  #onAsked = () => {}

  static async start(t: TestContext): Promise<SlowDisk> {
    const disk = new SlowDisk()
    const dir = await tempDir(t)
    for (let i = 0; i < FILES; i++) disk.files.push(await TemporaryFile.create(join(dir, `${i}`)))
    t.after(() => Promise.all(disk.files.map(file => file.discard())))
    await replaceHandle(t, 'writev', real => async (...args) => {
      const answered = new Promise<Error | undefined>(resolve => disk.#waiting.push(resolve))
      disk.#onAsked()
      const fault = await answered
      if (fault !== undefined) throw fault
      const result = (await real(...args)) as { bytesWritten: number }
      disk.unwritten -= result.bytesWritten
      return result
    })
    return disk
  }

  async *source(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < PIECES; i++) {
      this.unwritten += PIECE
      this.most = Math.max(this.most, this.unwritten)
      yield Buffer.alloc(PIECE, i)
    }
  }

  /** Resolves when it is asked to write the next time. */
  asked(): Promise<void> {
    return new Promise(resolve => {
      this.#onAsked = resolve
    })
  }

  /** Answers all that is asked now, with `fault` where there is one. */
  async answer(fault?: Error): Promise<void> {
    for (const answer of this.#waiting.splice(0)) answer(fault)
    await turn()
  }

  /** Answers until all of `writes` have settled. */
  async settle(writes: readonly Promise<void>[], fault?: Error): Promise<PromiseSettledResult<void>[]> {
    let isOver = false
    const settled = Promise.allSettled(writes).finally(() => {
      isOver = true
    })
    while (!isOver) await this.answer(fault)
    return settled
  }

  /** The bytes that one file accepts while no write completes. */
  async takenOfOne(file: TemporaryFile): Promise<number> {
    const before = this.unwritten
    const writes = [file.writeAll(this.source())]
    await turn()
    const taken = this.unwritten - before
    await this.settle(writes)
    return taken
  }
}

test('on a slow disk all files together stay within the limit of unwritten bytes, and each makes progress', async t => {
  setLimit(t, 'unwrittenBytes', 20 * PIECE)
  const disk = await SlowDisk.start(t)
  const outcomes = await disk.settle(disk.files.map(file => file.writeAll(disk.source())))
  assert.ok(outcomes.every(({ status }) => status === 'fulfilled'))
  const most = FIXED_LIMITS.unwrittenBytes.value + FILES * PIECE
  assert.ok(disk.most <= most, `${disk.most / PIECE} pieces were held`)
  for (const file of disk.files) {
    assert.equal(file.size, PIECES * PIECE)
    assert.equal((await stat(file.path)).size, PIECES * PIECE)
  }
})

test('unwritten bytes are released after a write, a failed write, and a failed source', async t => {
  setLimit(t, 'unwrittenBytes', 4 * PIECE)
  const disk = await SlowDisk.start(t)
  const [one, ...others] = disk.files
  assert.ok(one !== undefined)
  const alone = await disk.takenOfOne(one)
  assert.equal(alone, 5 * PIECE)

  async function* broken() {
    yield* [1, 2, 3].map(() => Buffer.alloc(PIECE))
    throw new RangeError('the peer went away')
  }
  const cut = others.map(file => file.writeAll(broken()))
  assert.ok((await disk.settle(cut)).every(({ status }) => status === 'rejected'))
  const faulted = others.map(file => file.writeAll(disk.source()))
  assert.ok((await disk.settle(faulted, failure('EIO'))).every(({ status }) => status === 'rejected'))
  assert.equal(await disk.takenOfOne(one), alone)
})

test('gathered bytes are written even if no other piece follows', async t => {
  const disk = await SlowDisk.start(t)
  const [file] = disk.files
  assert.ok(file !== undefined)
  let end = () => {}
  const held = new Promise<void>(resolve => {
    end = resolve
  })
  async function* stalled() {
    yield* [1, 2, 3].map(() => Buffer.alloc(PIECE))
    await held
  }
  const first = disk.asked()
  const writes = [file.writeAll(stalled())]
  await first
  const second = disk.asked()
  await disk.answer()
  await second
  end()
  await disk.settle(writes)
})
