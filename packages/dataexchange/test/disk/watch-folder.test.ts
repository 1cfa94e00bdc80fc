import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { watchFolder } from '#lib/disk/watch-folder.js'
import { tempDir } from '../../../../test/helpers/temp-dir.js'

async function next(watching: AsyncGenerator<string[]>): Promise<string[] | undefined> {
  const { done, value } = await watching.next()
  return done ? undefined : value
}

test('new files are reported once, and only accepted names', async t => {
  const dir = tempDir(t)
  const stop = new AbortController()
  writeFileSync(join(dir, 'old'), '')
  const watching = watchFolder(dir, {
    accepts: name => !name.startsWith('.'),
    onReady: () => {
      writeFileSync(join(dir, '.hidden'), '')
      writeFileSync(join(dir, 'new'), '')
    },
    signal: stop.signal,
  })
  assert.deepEqual(await next(watching), ['new'])
  const later = next(watching)
  writeFileSync(join(dir, 'newer'), '')
  assert.deepEqual(await later, ['newer'])
  rmSync(join(dir, 'new'))
  stop.abort()
  assert.equal(await next(watching), undefined)
})

test('a folder that is created later is watched', async t => {
  const dir = join(tempDir(t), 'later')
  const watching = watchFolder(dir, {
    accepts: () => true,
    onReady: () => {
      mkdirSync(dir)
      writeFileSync(join(dir, 'x'), '')
    },
  })
  assert.deepEqual(await next(watching), ['x'])
  await watching.return(undefined)
})

test('the watch ends without a new file', async t => {
  const stop = new AbortController()
  const watching = watchFolder(tempDir(t), {
    accepts: () => true,
    onReady: () => stop.abort(),
    signal: stop.signal,
  })
  assert.equal(await next(watching), undefined)
})

test('a path that is not a folder is an error', async t => {
  const file = join(tempDir(t), 'file')
  writeFileSync(file, '')
  await assert.rejects(watchFolder(file, { accepts: () => true }).next(), { code: 'ENOTDIR' })
})
