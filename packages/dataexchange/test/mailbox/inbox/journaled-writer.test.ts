import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { folderLayout } from '#lib/disk/layout.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import { silentLogger } from '#lib/logger.js'
import { JournaledWriter } from '#lib/mailbox/inbox/journaled-writer.js'
import { JOURNAL_SEGMENTS } from '#lib/mailbox/journal/checkpoints.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { failHandles, failure, replaceFs, replaceHandle, replaceSyncFs } from '../../helpers/faulty-fs.js'
import { cutPower, openMailbox } from '../../helpers/planted-journal.js'
import { namesIn, readMessage, tempDir, tempMailbox, temporariesIn } from '../../helpers/temp-mailbox.js'

function store(mailbox: Mailbox, text: string, messageId?: string) {
  const message = {
    type: 'TEXT',
    from: 'a',
    length: Buffer.byteLength(text),
    ...(messageId && { messageId }),
  }
  return mailbox.storeMessage(message, Buffer.from(text))
}

/** Counts the stores on the slow path, which calls the asynchronous link(). */
function countSlow(t: TestContext): { stores: number } {
  const count = { stores: 0 }
  replaceFs(t, 'link', real => (...args) => {
    count.stores++
    return real(...args)
  })
  return count
}

async function textsIn(dir: string): Promise<string[]> {
  const names = await namesIn(dir)
  const messages = await Promise.all(names.map(name => readMessage(join(dir, name))))
  return messages.map(({ data }) => String(data)).sort()
}

/** The texts in the inbox, and the texts after a power cut and a new start. */
async function textsNowAndLater(t: TestContext, mailbox: Mailbox): Promise<[string[], string[]]> {
  const copy = await cutPower(t, mailbox)
  await openMailbox(t, copy)
  return [await textsIn(mailbox.inboxDir), await textsIn(copy)]
}

test('many small messages share syncs, and each resolves when it is durable and visible', async t => {
  const mailbox = await tempMailbox(t)
  const slow = countSlow(t)
  let syncs = 0
  await replaceHandle(t, 'datasync', real => async () => {
    await real()
    syncs++
  })
  const paths = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const { path } = await store(mailbox, `${i}`)
      assert.ok(syncs > 1)
      assert.equal((await readMessage(path)).data, `${i}`)
      return path
    }),
  )
  assert.equal(new Set(paths).size, 200)
  // The names are in the order of the calls.
  assert.deepEqual(paths, [...paths].sort())
  assert.ok(syncs < 20, `${syncs} syncs of 200 messages`)
  assert.equal(slow.stores, 0)
  assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
})

test('the content is durable in the journal before the message gets its name', async t => {
  const mailbox = await tempMailbox(t)
  const steps: string[] = []
  await replaceHandle(t, 'datasync', real => async () => {
    await real()
    steps.push('synced')
  })
  replaceSyncFs(t, 'linkSync', real => (...args) => {
    steps.push('named')
    return real(...args)
  })
  await store(mailbox, 'first')
  steps.length = 0
  await Promise.all([store(mailbox, 'second'), store(mailbox, 'third')])
  assert.deepEqual(steps, ['synced', 'named', 'named'])
  const copy = await cutPower(t, mailbox)
  for (const name of await namesIn(copy)) await rm(join(copy, name))
  await openMailbox(t, copy)
  assert.deepEqual(await textsIn(copy), ['first', 'second', 'third'])
})

test('a message with an id is written to the journal only after its id is durable', async t => {
  const mailbox = await tempMailbox(t)
  await store(mailbox, 'first', 'id 1')
  const contents: string[] = []
  await replaceHandle(t, 'datasync', real => async () => {
    // A writer that did not wait for this sync would write meanwhile.
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate)
    const journal = join(mailbox.inboxDir, '.journal')
    for (const name of await readdir(journal)) contents.push(await readFile(join(journal, name), 'latin1'))
    return real()
  })
  await Promise.all([store(mailbox, 'second', 'id 2'), store(mailbox, 'third', 'id 3')])
  const isThere = contents.map(content => content.includes('second'))
  assert.equal(isThere.shift(), false)
  assert.equal(isThere.pop(), true)
})

for (const [what, fail] of [
  ['the sync of the journal fails', (t: TestContext) => failHandles(t, 'datasync', 1)],
  ['the record of its id cannot be written', (t: TestContext) => failHandles(t, 'write', 1)],
  ['no temporary file can be created', async (t: TestContext) => failSync(t, 'openSync', 'EMFILE')],
  ['its bytes cannot be written', async (t: TestContext) => failSync(t, 'writeSync', 'EIO')],
  ['it cannot be named', async (t: TestContext) => failSync(t, 'linkSync', 'EIO')],
] as const) {
  test(`if ${what} once, the message takes the slow path and is stored once, also after a power cut`, async t => {
    const mailbox = await tempMailbox(t)
    await store(mailbox, 'before')
    const slow = countSlow(t)
    await fail(t)
    const { path } = await store(mailbox, 'hello', 'id')
    assert.equal(slow.stores, 1)
    assert.equal((await readMessage(path)).data, 'hello')
    assert.equal((await store(mailbox, 'hello', 'id')).duplicate, true)
    assert.deepEqual(await textsNowAndLater(t, mailbox), [
      ['before', 'hello'],
      ['before', 'hello'],
    ])
    assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
    await store(mailbox, 'after')
    assert.equal(slow.stores, 1)
  })
}

function failSync(t: TestContext, name: 'openSync' | 'writeSync' | 'linkSync', code: string): void {
  let left = 1
  replaceSyncFs(t, name, real => (...args) => {
    if (left-- > 0) throw failure(code)
    return real(...args)
  })
}

test('a message that fails on both paths is not stored, also after a power cut; sent again it is stored once', async t => {
  const mailbox = await tempMailbox(t)
  await store(mailbox, 'before')
  // The sync of the journal fails, and then, after the tombstone, the sync of the file.
  let syncs = 0
  await replaceHandle(t, 'datasync', real => async () => {
    syncs++
    if (syncs === 1 || isTakenBack) throw failure('EIO')
    return real()
  })
  let isTakenBack = false
  replaceFs(t, 'open', real => (path, ...rest) => {
    isTakenBack ||= String(path).endsWith('.tmp')
    return real(path, ...rest)
  })
  await assert.rejects(store(mailbox, 'refused', 'id'), { code: 'STORE_FAILED' })
  assert.deepEqual(await textsNowAndLaterMended(), [['before'], ['before']])
  assert.equal((await store(mailbox, 'refused', 'id')).duplicate, false)
  assert.deepEqual(await textsIn(mailbox.inboxDir), ['before', 'refused'])

  async function textsNowAndLaterMended() {
    t.mock.restoreAll()
    return textsNowAndLater(t, mailbox)
  }
})

test('a failed message without a tombstone does not come back once a later message is stored', async t => {
  const mailbox = await tempMailbox(t)
  await store(mailbox, 'before')
  failSync(t, 'linkSync', 'EIO')
  let isBroken = true
  replaceFs(t, 'open', real => async (...args) => {
    if (isBroken) throw failure('EIO')
    return real(...args)
  })
  await assert.rejects(store(mailbox, 'refused'), { code: 'STORE_FAILED' })
  isBroken = false
  await store(mailbox, 'after')
  assert.deepEqual(await textsNowAndLater(t, mailbox), [
    ['after', 'before'],
    ['after', 'before'],
  ])
})

test('a name taken by another program is not overwritten, and not restored as the message', async t => {
  const mailbox = await tempMailbox(t)
  let planted = ''
  replaceSyncFs(t, 'linkSync', real => (from, to) => {
    if (planted === '') {
      planted = String(to)
      throw failure('EEXIST')
    }
    return real(from, to)
  })
  const { path } = await store(mailbox, 'hello')
  assert.equal(path, planted)
  const copy = await cutPower(t, mailbox)
  await rm(join(copy, basename(path)))
  await openMailbox(t, copy)
  // It was stored on the slow path, so the journal does not bring it back.
  assert.deepEqual(await namesIn(copy), [])
})

for (const [what, act] of [
  ['removed', (dir: string) => rm(dir, { recursive: true })],
  ['moved away', (dir: string) => rename(dir, `${dir}.away`)],
  [
    'replaced',
    async (dir: string) => {
      await rename(dir, `${dir}.away`)
      await mkdir(join(dir, '.tmp'), { recursive: true })
    },
  ],
] as const) {
  test(`messages into an inbox that is ${what} meanwhile are durable in the inbox that is there`, async t => {
    const mailbox = await tempMailbox(t)
    await store(mailbox, 'before')
    await act(mailbox.inboxDir)
    const texts = Array.from({ length: 30 }, (_, i) => `${100 + i}`)
    await Promise.all(texts.map(text => store(mailbox, text)))
    assert.deepEqual(await textsNowAndLater(t, mailbox), [texts, texts])
    await store(mailbox, 'after')
    assert.deepEqual(await textsIn(mailbox.inboxDir), [...texts, 'after'])
  })
}

test('a small message into a folder that another store is creating waits until the folder is durable', async t => {
  const root = await tempDir(t)
  const mailbox = await tempMailbox(t, { inboxDir: join(root, 'inbox') })
  await rm(mailbox.inboxDir, { recursive: true })
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const reached = new Promise<void>(reach => {
    replaceFs(t, 'open', real => async (path, ...rest) => {
      if (path === root) {
        reach()
        await held
      }
      return real(path, ...rest)
    })
  })
  const first = store(mailbox, 'first')
  await reached
  let resolved = false
  const second = store(mailbox, 'second').then(() => {
    resolved = true
  })
  while ((await namesIn(mailbox.inboxDir)).length === 0) await new Promise(setImmediate)
  await new Promise(resolve => setTimeout(resolve, 50))
  assert.equal(resolved, false)
  release()
  await Promise.all([first, second])
})

test('large messages take the slow path, and so do all if the journal cannot be written', async t => {
  const mailbox = await tempMailbox(t)
  const slow = countSlow(t)
  await store(mailbox, 'x'.repeat(128 * 1024))
  assert.equal(slow.stores, 1)
  assert.deepEqual(await readdir(mailbox.inboxDir).then(names => names.includes('.journal')), false)
  await writeFile(join(mailbox.inboxDir, '.journal'), '')
  await store(mailbox, 'small')
  assert.equal(slow.stores, 2)
})

test('while too many segments wait for their checkpoint, messages take the slow path', async t => {
  const mailbox = await tempMailbox(t)
  const slow = countSlow(t)
  const now = performance.now.bind(performance)
  let ahead = 0
  t.mock.method(performance, 'now', () => now() + ahead)
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  // Only checkpoints open messages with numeric flags.
  replaceFs(t, 'open', real => async (path, flags, ...rest) => {
    if (typeof flags === 'number') await held
    return real(path, flags, ...rest)
  })
  const stored: string[] = []
  while (slow.stores === 0) {
    stored.push(basename((await store(mailbox, `${100 + stored.length}`)).path))
    ahead += FIXED_LIMITS.journalAge.value
    assert.ok(stored.length < 20)
  }
  // One segment is being checkpointed, the limit of them waits, and one more was needed to notice.
  assert.ok(stored.length > JOURNAL_SEGMENTS, `${stored.length}`)
  assert.deepEqual(await namesIn(mailbox.inboxDir), stored)
  release()
  await mailbox.close()
  assert.deepEqual(await readdir(join(mailbox.inboxDir, '.journal')), [])
})

test('close checkpoints the journal and keeps the messages', async t => {
  const mailbox = await tempMailbox(t)
  await Promise.all(Array.from({ length: 100 }, (_, i) => store(mailbox, `${i}`)))
  await mailbox.close()
  assert.deepEqual(await readdir(join(mailbox.inboxDir, '.journal')), [])
  assert.equal((await namesIn(mailbox.inboxDir)).length, 100)
})

test('a failed start leaves no timer, and no segment in use', async t => {
  const root = await tempDir(t)
  await writeFile(join(root, 'file'), '')
  const config = { inboxDir: join(root, 'inbox'), receivedDir: join(root, 'file') }
  await assert.rejects(Mailbox.open(config), { code: 'STORE_FAILED' })
  await store(await openMailbox(t, config.inboxDir), 'hello')
})

test('with durability "os" nothing is synced and there is no journal', async t => {
  const noSync = () => async () => assert.fail('synced')
  await replaceHandle(t, 'sync', noSync)
  await replaceHandle(t, 'datasync', noSync)
  const mailbox = await tempMailbox(t, { durability: 'os' })
  const slow = countSlow(t)
  const { path } = await store(mailbox, 'hello', 'id')
  assert.equal((await readMessage(path)).data, 'hello')
  assert.equal(slow.stores, 0)
  assert.equal((await readdir(mailbox.inboxDir)).includes('.journal'), false)
})

test('a closed writer refuses files', async t => {
  const layout = folderLayout(await tempDir(t))
  await mkdir(layout.temporaries)
  const writer = new JournaledWriter(layout, true, silentLogger)
  const choice = { name: 'a.json', next: () => assert.fail('another name') }
  assert.equal(await writer.write(choice, () => Buffer.from('x')), true)
  assert.equal(await readFile(join(layout.dir, 'a.json'), 'utf8'), 'x')
  await writer.close()
  assert.equal(await writer.write({ ...choice, name: 'b.json' }, () => Buffer.from('x')), false)
  assert.deepEqual(await namesIn(layout.dir), ['a.json'])
})

test('on a file system without hard links the fast path is tried once', async t => {
  const mailbox = await tempMailbox(t)
  let tries = 0
  replaceSyncFs(t, 'linkSync', () => () => {
    tries++
    throw failure('EPERM')
  })
  replaceFs(t, 'link', () => async () => {
    throw failure('EPERM')
  })
  for (const text of ['a', 'b', 'c']) await store(mailbox, text)
  assert.equal(tries, 1)
  assert.deepEqual(await textsNowAndLater(t, mailbox), [
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
  ])
})
