import assert from 'node:assert/strict'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from '../helpers/cli.js'
import { type Box, IS_OLD, outcome, twoNodes } from './original.js'

// Transfers whose sender or receiver is killed after a random byte, and which go on where they were.
// INTEROP_KILLS tells how often in each of the four tests.

const KILLS = Number(process.env.INTEROP_KILLS ?? 2)
const SIZE = 12_000_000
/** Not acknowledged yet when a connection is lost (section 4). */
const WINDOW = 768 * 1024
const ANNA = '0:0000.0000.0001'
const NO_SERVICE = ['-no-dataexchange']
const skip = IS_OLD ? 'this version knows no FILESTREAM' : false

test('pilotctl is killed while it sends to serve', { skip }, async t => {
  const { a: anna, b: bert } = await twoNodes(t, { a: NO_SERVICE })
  await anna.serve()
  await sendThroughKills(t, {
    ...{ sender: bert, receiver: anna },
    send: path => bert.startPilotctl('send-file', ANNA, path),
    victim: sending => sending,
  })
})

test('serve is killed while pilotctl sends to it', { skip }, async t => {
  // Within one node: after many connections that end so, their daemons take the way between them for lost.
  const { a: anna } = await twoNodes(t, { a: NO_SERVICE })
  let { running } = await anna.serve()
  await sendThroughKills(t, {
    ...{ sender: anna, receiver: anna },
    // Not every end of a connection reaches it.
    send: path => anna.startPilotctl('send-file', ANNA, path, '--timeout', '10s'),
    victim: () => running,
    revive: async () => {
      running = (await anna.serve()).running
    },
  })
})

test('send-file is killed while it sends to the original’s service', { skip }, async t => {
  const { a: anna, b: bert } = await twoNodes(t, { b: NO_SERVICE })
  await sendThroughKills(t, {
    ...{ sender: bert, receiver: anna },
    send: path => bert.start(['--json', 'send-file', ANNA, path]),
    victim: sending => sending,
    // Its service may still be writing for the connection that was lost.
    mayBeginAnew: true,
  })
})

test('the original’s daemon and service are killed while send-file sends to them', { skip }, async t => {
  // Within one node: another takes most of a minute to notice that the daemon has gone.
  const { a: anna, daemonA } = await twoNodes(t)
  let daemon = daemonA
  await sendThroughKills(t, {
    ...{ sender: anna, receiver: anna },
    send: path => anna.start(['--json', 'send-file', ANNA, path]),
    victim: () => daemon,
    revive: async () => {
      daemon = await anna.daemon('anna')
    },
  })
})

interface Case {
  sender: Box
  receiver: Box
  send: (path: string) => Running
  /** Who is killed while a sender sends. */
  victim: (sending: Running) => Running
  /** Starts it again, where that is not the sender. */
  revive?: () => Promise<void>
  /** The receiver may have damaged its partial file: the file must still arrive whole. */
  mayBeginAnew?: boolean
}

/** Sends files until there have been so many kills; half of the files have one, a quarter of them two, and so on. */
async function sendThroughKills(
  t: TestContext,
  { sender, receiver, send, victim, revive, mayBeginAnew }: Case,
) {
  const figures = { kills: 0, files: 0, resumed: 0, reconnects: 0, anew: 0 }
  while (figures.kills < KILLS) {
    const content = randomBytes(SIZE)
    const path = join(sender.dir, 'film.raw')
    writeFileSync(path, content)
    const partial = partialOf(receiver, content)
    // A new transfer resumes from here; a sender that survived a kill started before.
    let kept = 0
    for (let isKilled = true; ; isKilled = figures.kills < KILLS && randomInt(2) === 0) {
      const startedAt = kept
      const sending = send(path)
      const killAt = randomInt(Math.min(kept, SIZE - 1), SIZE)
      if (isKilled && (await reaches(partial, killAt, sending))) {
        victim(sending).child.kill('SIGKILL')
        await victim(sending).done
        figures.kills++
        await revive?.()
        kept = sizeOf(partial)
        assert.ok(kept > killAt || receiver.files().size > 0, `${kept} bytes are left of ${killAt}`)
      }
      const { code, data, error } = await outcome(sending)
      if (code !== 0) {
        assert.ok(isKilled, `not killed, and it failed: ${JSON.stringify(error)}`)
        continue
      }
      const { bytes_resumed: resumed, bytes_sent: sent, reconnects = 0 } = data
      if (mayBeginAnew && resumed < startedAt) {
        figures.anew++
        break
      }
      assert.deepEqual([data.verified, data.bytes], [true, SIZE])
      // A sender may be killed when all is sent, and the file be stored after it.
      const isStoredTwice = receiver.files().size > 1
      assert.ok(resumed >= startedAt || isStoredTwice, `${resumed} bytes resumed of ${startedAt}`)
      assert.ok(resumed + sent >= SIZE && resumed + sent <= SIZE + reconnects * WINDOW, `${sent} bytes sent`)
      figures.resumed += resumed
      figures.reconnects += reconnects
      break
    }
    figures.files++
    const files = receiver.files()
    assert.ok(files.size > 0)
    for (const [name, stored] of files) {
      assert.ok(stored.equals(content), `${name} is not what was sent`)
      rmSync(join(receiver.home, 'received', name))
    }
  }
  t.diagnostic(JSON.stringify(figures))
}

/** Waits until so many bytes are in the partial file; false where the sender has ended before. */
async function reaches(partial: string, bytes: number, sending: Running): Promise<boolean> {
  let hasEnded = false
  void sending.done.then(() => {
    hasEnded = true
  })
  while (sizeOf(partial) <= bytes) {
    if (hasEnded) return false
    await sleep(1)
  }
  return true
}

function partialOf(receiver: Box, content: Buffer): string {
  const id = createHash('sha256').update(content).digest('hex').slice(0, 32)
  return join(receiver.home, 'received', '.partial', id)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
