import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import fs, { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { type Call, failure, replaceFs, replaceHandle } from '../helpers/faulty-fs.js'
import {
  contentOf,
  inPieces,
  namesIn,
  readMessage,
  tempDir,
  tempMailbox,
  temporariesIn,
} from '../helpers/temp-mailbox.js'

/** Stores a message on the slow path: the fast path takes smaller ones. */
function store(mailbox: Mailbox, text = 'hello') {
  const payload = Buffer.from(long(text))
  return mailbox.storeMessage({ type: 'TEXT', from: 'a', length: payload.length }, payload)
}

function long(text: string): string {
  return text.padEnd(140_000)
}

async function assertEmpty(mailbox: Mailbox): Promise<void> {
  for (const dir of [mailbox.inboxDir, mailbox.receivedDir]) {
    assert.deepEqual(await contentOf(dir), [])
  }
}

const failed = (code: string) => (error: unknown) => {
  assert.ok(error instanceof Error)
  assert.equal((error as { code?: string }).code, 'STORE_FAILED')
  assert.equal((error.cause as { code?: string }).code, code)
  return true
}

/** A promise and the function that resolves it. */
function gate(): [opened: Promise<void>, open: () => void] {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return [opened, open]
}

test('short writes are continued until everything is written', async t => {
  const mailbox = await tempMailbox(t)
  let calls = 0
  await replaceHandle(t, 'writev', real => pieces => {
    calls++
    const [first = new Uint8Array(), second = new Uint8Array()] = pieces as Uint8Array[]
    // The write ends inside the first piece, or after one byte of the second.
    return real(first.length > 1 ? [first.subarray(0, first.length / 3 + 1)] : [first, second.subarray(0, 1)])
  })
  const text = 'e"hello" there'.repeat(12_000)
  const { path } = await store(mailbox, text)
  assert.ok(calls > 10)
  assert.equal((await readMessage(path)).data, text)
  const large = Buffer.alloc(300_000, 'text ')
  const spooled = await mailbox.storeMessage(
    { type: 'TEXT', from: 'a', length: large.length },
    inPieces(large, 150_000),
  )
  assert.equal((await readMessage(spooled.path)).bytes, large.length)
})

test('if writing makes no progress, or fails midway, nothing is stored', async t => {
  const mailbox = await tempMailbox(t)
  let plan: (real: Call) => Call = real => real
  await replaceHandle(
    t,
    'writev',
    real =>
      (...args) =>
        plan(real)(...args),
  )
  plan = () => async () => ({ bytesWritten: 0 })
  await assert.rejects(store(mailbox), { code: 'STORE_FAILED' })
  let writes = 0
  plan = real => async pieces => {
    if (writes++ > 0) throw failure('ENOSPC')
    return real([(pieces as Uint8Array[])[0]!.subarray(0, 3)])
  }
  await assert.rejects(store(mailbox), failed('ENOSPC'))
  writes = 0
  await assert.rejects(
    mailbox.storeFile({ filename: 'f', length: 9 }, inPieces(Buffer.alloc(9), 4)),
    failed('ENOSPC'),
  )
  await assertEmpty(mailbox)
})

test('a failed fdatasync is not tried again, and the message is not stored', async t => {
  const mailbox = await tempMailbox(t)
  let syncs = 0
  await replaceHandle(t, 'datasync', () => async () => {
    syncs++
    throw failure('EIO')
  })
  await assert.rejects(store(mailbox), failed('EIO'))
  assert.equal(syncs, 1)
  await assertEmpty(mailbox)
})

test('if the folder cannot be synced, all waiting stores are unpublished; later ones succeed', async t => {
  const mailbox = await tempMailbox(t)
  let healthy = false
  await replaceHandle(t, 'sync', real => async () => {
    if (!healthy) throw failure('EIO')
    return real()
  })
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => store(mailbox)))
  for (const result of results) assert.ok(result.status === 'rejected' && failed('EIO')(result.reason))
  await assertEmpty(mailbox)
  healthy = true
  await store(mailbox)
})

test('a message stays visible if the disk refuses its removal after a failed sync', async t => {
  const mailbox = await tempMailbox(t)
  await replaceHandle(t, 'sync', () => () => Promise.reject(failure('EIO')))
  replaceFs(
    t,
    'unlink',
    real => path => (String(path).includes('.tmp') ? real(path) : Promise.reject(failure('EROFS'))),
  )
  await assert.rejects(store(mailbox, 'refused'), failed('EIO'))
  assert.equal((await namesIn(mailbox.inboxDir)).length, 1)
})

test('a store without a descriptor waits for another store, and fails if there is none', async t => {
  const mailbox = await tempMailbox(t)
  let left = 1
  const [refusing, refused] = gate()
  replaceFs(t, 'open', real => async (...args) => {
    if (!String(args[0]).endsWith('.tmp')) return real(...args)
    if (left === 0) {
      refused()
      throw failure('EMFILE')
    }
    left--
    const handle = (await real(...args)) as EventEmitter
    return handle.prependOnceListener('close', () => left++)
  })
  const [held, release] = gate()
  async function* slow() {
    yield Buffer.from('half')
    await held
    yield Buffer.from('half')
  }
  const first = mailbox.storeFile({ filename: 'f', length: 8 }, slow())
  const second = refusing.then(release)
  await Promise.all([first, store(mailbox), second])
  left = 0
  await assert.rejects(store(mailbox), failed('EMFILE'))
})

test('a sender that floods does not delay another', async t => {
  const mailbox = await tempMailbox(t, { durability: 'os' })
  let flooded = 0
  const flood = Array.from({ length: 2_000 }, async () => {
    await mailbox.storeMessage({ type: 'TEXT', from: 'flood', length: 1 }, Buffer.from('x'))
    flooded++
  })
  await mailbox.storeMessage({ type: 'TEXT', from: 'honest', length: 1 }, Buffer.from('x'))
  const meanwhile = flooded
  await mailbox.storeFile({ filename: 'f', length: 1, from: 'honest' }, Buffer.from('x'))
  await Promise.all(flood)
  assert.ok(meanwhile < 200, `${meanwhile} of the flood were first`)
})

test('an unpublished name is synced away, so that a power cut cannot bring it back', async t => {
  const mailbox = await tempMailbox(t)
  const seen: number[] = []
  await replaceHandle(t, 'sync', real => async () => {
    seen.push((await namesIn(mailbox.inboxDir)).length)
    if (seen.length === 1) throw failure('EIO')
    return real()
  })
  await assert.rejects(store(mailbox), failed('EIO'))
  assert.deepEqual(seen, [1, 0])
})

test('no store resolves before the folder is synced, and concurrent stores share a sync', async t => {
  const mailbox = await tempMailbox(t)
  let synced = 0
  await replaceHandle(t, 'sync', real => async () => {
    await real()
    synced++
  })
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      await store(mailbox)
      assert.ok(synced > 0)
    }),
  )
  assert.ok(synced < 100, `${synced} syncs of the folder for 200 messages`)
})

test('the parents of a created folder are synced, too', async t => {
  const root = await tempDir(t)
  const opened = new Set<string>()
  replaceFs(t, 'open', real => async (path, ...rest) => {
    opened.add(String(path))
    return real(path, ...rest)
  })
  const inboxDir = join(root, 'a', 'b', 'inbox')
  await tempMailbox(t, { inboxDir })
  for (const dir of [root, join(root, 'a'), join(root, 'a', 'b')]) assert.ok(opened.has(dir), dir)
})

test('a store into a folder that another store is creating waits until the folder is durable', async t => {
  const root = await tempDir(t)
  const mailbox = await tempMailbox(t, { inboxDir: join(root, 'inbox') })
  await rm(mailbox.inboxDir, { recursive: true })
  const [held, release] = gate()
  const [reached, reach] = gate()
  replaceFs(t, 'open', real => async (path, ...rest) => {
    if (path === root) {
      reach()
      await held
    }
    return real(path, ...rest)
  })
  const first = store(mailbox)
  await reached
  let resolved = false
  const second = store(mailbox).then(() => {
    resolved = true
  })
  while ((await namesIn(mailbox.inboxDir)).length === 0) await turn()
  await new Promise(resolve => setTimeout(resolve, 50))
  assert.equal(resolved, false)
  release()
  await Promise.all([first, second])
})

test('with durability "os" nothing is synced', async t => {
  const noSync = () => async () => assert.fail('synced')
  await replaceHandle(t, 'sync', noSync)
  await replaceHandle(t, 'datasync', noSync)
  const mailbox = await tempMailbox(t, { durability: 'os' })
  await store(mailbox)
})

test('a taken name is never overwritten: the next number is used', async t => {
  const mailbox = await tempMailbox(t)
  let planted = ''
  replaceFs(t, 'link', real => async (from, to) => {
    if (planted === '') {
      planted = String(to)
      await writeFile(planted, 'of another process')
    }
    return real(from, to)
  })
  const { path } = await store(mailbox)
  assert.match(planted, /-000001\.json$/)
  assert.match(path, /-000002\.json$/)
  assert.equal(await fs.readFile(planted, 'utf8'), 'of another process')
  assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
})

test('[inbox.max-bytes-writing] a message that is being written is not evicted, even if it is visible', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 1, durability: 'os' })
  const [held, release] = gate()
  const [linked, isLinked] = gate()
  let first = true
  replaceFs(t, 'link', real => async (...args) => {
    const slow = first
    first = false
    await real(...args)
    if (!slow) return
    isLinked()
    await held
  })
  const now = performance.now.bind(performance)
  const writing = store(mailbox, 'the oldest')
  await linked
  for (let later = 1; later <= 3; later++) {
    // The stale listing is refreshed, and contains the message.
    t.mock.method(performance, 'now', () => now() + later * 11_000)
    await store(mailbox, 'newer')
  }
  assert.equal((await namesIn(mailbox.inboxDir)).length, 2)
  release()
  assert.equal((await readMessage((await writing).path)).data, long('the oldest'))
})

for (const code of ['EPERM', 'ENOTSUP', 'EOPNOTSUPP']) {
  test(`without hard links (${code}) no name is overwritten either`, async t => {
    const mailbox = await tempMailbox(t)
    let attempts = 0
    replaceFs(t, 'link', () => async (_, to) => {
      if (attempts++ === 0) await writeFile(String(to), 'of another process')
      throw failure(code)
    })
    const stored = await Promise.all([store(mailbox, 'a'), store(mailbox, 'b'), store(mailbox, 'c')])
    assert.deepEqual(await Promise.all(stored.map(async ({ path }) => (await readMessage(path)).data)), [
      long('a'),
      long('b'),
      long('c'),
    ])
    assert.equal((await namesIn(mailbox.inboxDir)).length, 4)
    assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
  })
}

test('a folder removed while the mailbox runs is created again', async t => {
  const mailbox = await tempMailbox(t)
  await store(mailbox)
  await rm(mailbox.inboxDir, { recursive: true })
  await rm(mailbox.receivedDir, { recursive: true })
  const stored = await Promise.all(Array.from({ length: 20 }, (_, i) => store(mailbox, `${i}`)))
  assert.equal((await namesIn(mailbox.inboxDir)).length, stored.length)
  await mailbox.storeFile({ filename: 'f', length: 3 }, inPieces(Buffer.alloc(3), 1))
})

test('a folder removed midway: a payload in memory is written again, one in pieces fails', async t => {
  const mailbox = await tempMailbox(t)
  let removals = 0
  replaceFs(t, 'link', real => async (from, to) => {
    const folder = join(String(to), String(to).includes('.records') ? '../..' : '..')
    if (removals++ === 0) await rm(folder, { recursive: true })
    return real(from, to)
  })
  const { path } = await store(mailbox)
  assert.equal((await readMessage(path)).data, long('hello'))

  removals = 0
  const spooled = Buffer.alloc(300_000, 'a')
  await mailbox.storeMessage({ type: 'TEXT', from: 'a', length: spooled.length }, inPieces(spooled, 140_000))

  removals = 0
  const file = { filename: 'f', length: 3 }
  await assert.rejects(mailbox.storeFile(file, inPieces(Buffer.alloc(3), 1)), failed('ENOENT'))
  await mailbox.storeFile(file, inPieces(Buffer.alloc(3), 1))
  assert.equal((await namesIn(mailbox.receivedDir)).length, 1)
})

test('open rejects with the path and the cause if a folder cannot be used', async t => {
  const root = await tempDir(t)
  const file = join(root, 'file')
  await writeFile(file, '')
  for (const dir of [file, join(file, 'inbox')]) {
    for (const config of [
      { inboxDir: dir, receivedDir: join(root, 'r') },
      { inboxDir: join(root, 'i'), receivedDir: dir },
    ]) {
      await assert.rejects(Mailbox.open(config), (error: Error & { code?: string }) => {
        assert.equal(error.name, 'MailboxError')
        assert.equal(error.code, 'STORE_FAILED')
        assert.ok(error.message.includes(dir))
        assert.match(String((error.cause as { code?: string }).code), /^(EEXIST|ENOTDIR)$/)
        return true
      })
    }
  }
})

test('a folder replaced by a file fails the stores until it is a folder again', async t => {
  const mailbox = await tempMailbox(t)
  await rm(mailbox.inboxDir, { recursive: true })
  await writeFile(mailbox.inboxDir, '')
  await assert.rejects(store(mailbox), failed('ENOTDIR'))
  await rm(mailbox.inboxDir)
  await store(mailbox)
})

test('open rejects if a folder is not writable', async t => {
  if (process.geteuid?.() === 0) return t.skip('root can write everywhere')
  const root = await tempDir(t)
  await mkdir(join(root, 'inbox'), { mode: 0o500 })
  await assert.rejects(
    Mailbox.open({ inboxDir: join(root, 'inbox'), receivedDir: join(root, 'r') }),
    failed('EACCES'),
  )
})

test('a full disk leaves nothing half-written, and stores succeed again when there is space', async t => {
  const disk = await tempDir(t)
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { encoding: 'utf8' })
  if (mount.status !== 0) return t.skip(`cannot mount a small tmpfs: ${mount.stderr ?? mount.error}`)
  try {
    await fillDisk(disk)
  } finally {
    spawnSync('umount', ['--lazy', disk])
  }
})

async function fillDisk(disk: string): Promise<void> {
  const mailbox = await Mailbox.open({ inboxDir: join(disk, 'inbox'), receivedDir: join(disk, 'received') })
  const kept: string[] = []
  for (let i = 0; i < 20; i++) {
    await store(mailbox, 'x'.repeat(140_000)).then(({ path }) => kept.push(path), failed('ENOSPC'))
  }
  assert.ok(kept.length > 3 && kept.length < 11)
  const large = Buffer.alloc(700_000, 'y')
  const message = { type: 'TEXT', from: 'a', length: large.length }
  const file = { filename: 'f', length: large.length }
  await assert.rejects(mailbox.storeMessage(message, inPieces(large, 50_000)), failed('ENOSPC'))
  await assert.rejects(mailbox.storeFile(file, inPieces(large, 50_000)), failed('ENOSPC'))
  assert.equal((await namesIn(mailbox.inboxDir)).length, kept.length)
  for (const path of kept) assert.equal(String((await readMessage(path)).data).length, 140_000)
  for (const dir of [mailbox.inboxDir, mailbox.receivedDir]) assert.deepEqual(await temporariesIn(dir), [])
  assert.deepEqual(await namesIn(mailbox.receivedDir), [])
  await rm(kept[0] ?? '')
  await store(mailbox, 'x'.repeat(140_000))
  await mailbox.close()
}

test('an old message that cannot be evicted does not fail stores', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 1 })
  const { path } = await store(mailbox)
  await rm(path)
  await mkdir(path)
  await store(mailbox)
  await store(mailbox)
  assert.equal((await namesIn(mailbox.inboxDir)).length, 2)
})
