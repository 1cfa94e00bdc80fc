import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { FIXED_LIMITS } from '#lib/limits.js'
import { silentLogger } from '#lib/logger.js'
import { IdLog } from '#lib/mailbox/ids/id-log.js'
import type { IdLogFile } from '#lib/mailbox/ids/id-log-file.js'
import { ID_LOG_RECORDS } from '#lib/mailbox/ids/id-log-file.js'
import type { IdRecord } from '#lib/mailbox/ids/id-record.js'
import { failHandles } from '../../helpers/faulty-fs.js'
import { tempDir, tempMailbox } from '../../helpers/temp-mailbox.js'

function record(digest: string): IdRecord {
  return {
    kind: 'stored',
    digest,
    expiresAt: 1_000,
    folder: 'inbox',
    name: `a "name" of ${digest}\u2028`,
    inode: 7,
    from: '0:0000.0000.000A',
  }
}

async function tempLog(t: TestContext): Promise<{ log: IdLog; dir: string }> {
  const dir = join(await tempDir(t), 'inbox', '.ids')
  const log = new IdLog(dir, true)
  t.after(() => log.close())
  return { log, dir }
}

const NO_PROC = existsSync('/proc/self/fd') ? false : 'needs /proc to list open files'

async function openFilesIn(dir: string): Promise<string[]> {
  const fds = await readdir('/proc/self/fd')
  const paths = await Promise.all(fds.map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return paths.filter(path => path.startsWith(dir))
}

test('the log is created with its first record, and read back as written', async t => {
  const { log, dir } = await tempLog(t)
  assert.deepEqual(await log.read(silentLogger), { records: [], abandoned: [] })
  await assert.rejects(readdir(dir), { code: 'ENOENT' })
  const records = ['a', 'b', 'c'].map(record)
  await Promise.all(records.map((one, i) => log.append(one, i > 0)))
  assert.deepEqual((await log.read(silentLogger)).records, records)
  assert.equal((await readdir(dir)).length, 1)
})

test('a full file is deleted when none of its records is needed', async t => {
  const { log, dir } = await tempLog(t)
  const full = ID_LOG_RECORDS
  const first = await Promise.all(Array.from({ length: full }, (_, i) => log.append(record(`${i}`), true)))
  assert.equal(new Set(first).size, 1)
  const next = await log.append(record('next'), true)
  assert.notEqual(next, first[0])
  assert.equal((await readdir(dir)).length, 2)
  for (const file of first) await file.release()
  assert.equal((await readdir(dir)).length, 1)
  await next.release()
  assert.equal((await readdir(dir)).length, 1)
  await log.close()
  assert.deepEqual(await readdir(dir), [])
})

test('a full file with a needed record is kept, but not open', {
  skip: NO_PROC,
}, async t => {
  const { log, dir } = await tempLog(t)
  const full = ID_LOG_RECORDS
  const needed: IdLogFile[] = []
  for (let i = 0; i < 3; i++) {
    const filling = Array.from({ length: full }, (_, i) => log.append(record(`${i}`), true))
    // The first file is full by now: this record goes to a new one while the first is synced.
    await nextTurn()
    needed.push(await log.append(record('needed'), true))
    for (const file of await Promise.all(filling)) await file.release()
  }
  assert.equal((await readdir(dir)).length, 3)
  while ((await openFilesIn(dir)).length > 1) await delay(5)
  // The files still count, and are not abandoned.
  const { records, abandoned } = await log.read(silentLogger)
  assert.equal(records.filter(({ digest }) => digest === 'needed').length, 3)
  assert.deepEqual(abandoned, [])
  for (const file of needed) await file.release()
  assert.equal((await readdir(dir)).length, 1)
})

for (const name of ['datasync', 'write'] as const) {
  test(`after a failed ${name} the next record goes to a new file`, async t => {
    const { log, dir } = await tempLog(t)
    const first = await log.append(record('a'), true)
    await failHandles(t, name, 1)
    const [failed, alsoFailed] = await Promise.allSettled([
      log.append(record('b'), true),
      log.append(record('c'), true),
    ])
    assert.deepEqual([failed?.status, alsoFailed?.status], ['rejected', 'rejected'])
    assert.notEqual(await log.append(record('d'), true), first)
    const { records } = await log.read(silentLogger)
    const digests = records.map(({ digest }) => digest)
    assert.ok(digests.includes('a') && digests.includes('d'), digests.join())
    assert.equal((await readdir(dir)).length, 2)
  })
}

test('a message whose id cannot be recorded is refused and leaves nothing behind; the next is stored', async t => {
  const mailbox = await tempMailbox(t)
  const store = (messageId: string) =>
    mailbox.storeMessage({ type: 'TEXT', from: 'a', length: 1, messageId }, Buffer.from('x'))
  await store('before')
  // Both the fast path and the slow path fail.
  await failHandles(t, 'write', 2)
  await assert.rejects(store('id'), { code: 'STORE_FAILED' })
  const listed = await readdir(mailbox.inboxDir)
  assert.equal(listed.filter(name => name.endsWith('.json')).length, 1)
  assert.deepEqual(await readdir(join(mailbox.inboxDir, '.tmp')), [])
  assert.equal((await store('id')).duplicate, false)
  assert.equal((await store('id')).duplicate, true)
})

test('files of dead processes are abandoned, files of live ones only when all their records have expired', async t => {
  const { log, dir } = await tempLog(t)
  await mkdir(dir, { recursive: true })
  const token = '0123456789abcdef'
  const dead = join(dir, `2147483646-${token}-1.ids`)
  const alive = join(dir, `${process.ppid}-${token}-1.ids`)
  const idle = join(dir, `${process.ppid}-${token}-2.ids`)
  for (const path of [dead, alive, idle]) await writeFile(path, '')
  await writeFile(join(dir, 'something else'), 'x')
  const longAgo = (Date.now() - 3 * FIXED_LIMITS.idLifetime.value) / 1000
  await utimes(idle, longAgo, longAgo)
  await log.append(record('ours'), true)
  const { abandoned } = await log.read(silentLogger)
  assert.deepEqual(abandoned.sort(), [dead, idle].sort())
  await log.remove(abandoned)
  assert.equal((await readdir(dir)).length, 3)
  assert.equal(await readFile(alive, 'utf8'), '')
})
