import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '#lib/client/client.js'
import { Driver } from '#lib/pilot/driver.js'
import { DATA_EXCHANGE_PORT, type Stream } from '#lib/pilot/transport.js'
import { readFrame } from '#lib/wire/frame-io.js'
import { newMessageId } from '#lib/wire/message-id.js'
import { encodeTaggedHeader } from '#lib/wire/tagged.js'

/** A node with the service that is tried, whoever's it is. */
export interface Subject {
  /** The daemon's. */
  readonly socket: string
  /** The process that stores. */
  readonly pid: number
  /** Has the folders `inbox` and `received`. */
  readonly home: string
}

/** The result of a case: a few words, and whether it is as expected. */
export interface Score {
  readonly seen: string
  readonly isGood: boolean
}

/** One way to treat a service badly. `start` starts a node, another one in the same home each time. */
export interface AbuseCase {
  readonly name: string
  run(start: () => Promise<Subject>): Promise<Score>
}

/** The same for every service, through the same client. */
export const ABUSE_CASES: readonly AbuseCase[] = [
  {
    name: 'syncs of file and folder before the ACK of one message',
    run: async start => {
      const node = await start()
      const calls = await syncsOf(node.pid, () => withClient(node, client => client.deliver({ text: 'x' })))
      return calls === undefined
        ? { seen: 'not tried: no strace', isGood: true }
        : { seen: `${calls}`, isGood: calls >= 2 }
    },
  },
  {
    name: 'half-written messages that a program sees which polls the inbox, of 300 of 200 KB',
    run: async start => {
      const node = await start()
      let torn = 0
      let isOver = false
      const poll = async () => {
        for (const known = new Set<string>(); !isOver; await delay(0)) {
          for (const name of namesIn(node, 'inbox').filter(name => !known.has(name))) {
            if (isWhole(join(node.home, 'inbox', name))) known.add(name)
            else torn++
          }
        }
      }
      const polling = poll()
      const text = 'x'.repeat(200_000)
      await withClient(node, async client => {
        for (let i = 0; i < 300; i++) await client.deliver({ text })
      })
      isOver = true
      await polling
      return { seen: `${torn}`, isGood: torn === 0 }
    },
  },
  {
    name: 'ACKs with nothing stored: FILE without a name, FILE with a name that lies, an unknown type',
    run: async start => {
      const node = await start()
      const frames: [type: number, payload: Buffer][] = [
        [4, Buffer.from('\0\0data')],
        [4, Buffer.from('\xff\xffdata', 'latin1')],
        [99, Buffer.from('data')],
      ]
      let lies = 0
      for (const [type, payload] of frames) {
        const before = stored(node)
        const answer = await ask(node, frame(type, payload))
        if (answer?.startsWith('ACK') && stored(node) === before) lies++
      }
      return { seen: `${lies} of ${frames.length}`, isGood: lies === 0 }
    },
  },
  {
    name: 'a full disk: ACKs, whole messages, torn ones',
    run: async start => {
      const node = await start()
      const inbox = join(node.home, 'inbox')
      mkdirSync(inbox, { recursive: true, mode: 0o700 })
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', inbox])
      // Both began before: each looks for the folder when it stores.
      let acks = 0
      await withClient(node, async client => {
        for (let i = 0; i < 40; i++) {
          const isStored = await client.deliver({ text: 'x'.repeat(100_000) }).then(
            () => true,
            () => false,
          )
          if (isStored) acks++
        }
      })
      const names = namesIn(node, 'inbox')
      const whole = names.filter(name => isWhole(join(inbox, name))).length
      const torn = names.length - whole
      spawnSync('umount', ['-l', inbox])
      return { seen: `${acks}, ${whole}, ${torn}`, isGood: acks > 0 && acks === whole && torn === 0 }
    },
  },
  {
    name: 'two processes on one folder: ACKs, messages',
    run: async start => {
      const nodes = [await start(), await start()]
      const counts = await Promise.all(
        nodes.map(node =>
          withClient(node, async client => {
            for (let i = 0; i < 1_000; i++) await client.deliver({ text: `${i}` })
          }),
        ),
      )
      const acks = counts.length * 1_000
      const found = namesIn(nodes[0] as Subject, 'inbox').length
      return { seen: `${acks}, ${found}`, isGood: acks === found }
    },
  },
  {
    name: 'file names stored as they are: bidi, escape, newline, -rf, CON, .hidden',
    run: async start => {
      const node = await start()
      const names = ['a\u202egpj.exe', '\x1b[31mred', 'two\nlines', '-rf', 'CON', '.hidden']
      for (const name of names) await ask(node, frame(4, named(name, 'data')))
      const found = namesIn(node, 'received')
      const unsafe = found.filter(name => UNSAFE.test(name))
      return { seen: `${unsafe.length} of ${names.length}`, isGood: unsafe.length === 0 }
    },
  },
  {
    name: 'MiB that 20 connections take which declare 60 MiB and send nothing of it',
    run: async start => {
      const node = await start()
      await withClient(node, client => client.deliver({ text: 'x' }))
      const before = resident(node)
      await using driver = await Driver.connect(node.socket)
      const streams = await dialMany(driver, 20)
      const head = Buffer.alloc(8)
      head.writeUInt32BE(1, 0)
      head.writeUInt32BE(60 * 2 ** 20, 4)
      for (const stream of streams) stream.write(head)
      await delay(2_000)
      const taken = Math.max(0, Math.round(resident(node) - before))
      for (const stream of streams) stream.destroy()
      return { seen: `${taken}`, isGood: taken < 50 }
    },
  },
  {
    name: 'connections that one peer holds of 200 that it opens',
    run: async start => {
      const node = await start()
      await using driver = await Driver.connect(node.socket)
      const streams = await dialMany(driver, 200)
      await delay(2_000)
      const held = streams.filter(stream => !stream.destroyed && !stream.readableEnded).length
      for (const stream of streams) stream.destroy()
      return { seen: `${held}`, isGood: held <= 100 }
    },
  },
  {
    name: 'copies of one message that is sent twice with one id',
    run: async start => {
      const node = await start()
      const head = { type: 1, length: 5 }
      const bytes = Buffer.concat([
        encodeTaggedHeader(head, { messageId: newMessageId() }),
        Buffer.from('twice'),
      ])
      const answers = [await ask(node, bytes), await ask(node, bytes)]
      const copies = namesIn(node, 'inbox').length
      const seen = answers[0]?.startsWith('ACK TEXT') ? `${copies}` : 'ids are not known'
      return { seen, isGood: copies <= 1 }
    },
  },
]

const UNSAFE = /[\p{Cc}\p{Cf}]|^[-.]|^CON(-|\.|$)/u

/** How often `act` has file and folder synced in process `pid`; undefined without strace. */
async function syncsOf(pid: number, act: () => Promise<unknown>): Promise<number | undefined> {
  if (spawnSync('strace', ['-V']).status !== 0) return undefined
  const child = spawn(
    'strace',
    ['-f', '-p', `${pid}`, '-e', 'trace=fsync,fdatasync,sync_file_range,syncfs'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let log = ''
  const attached = new Promise<void>(resolve => {
    child.stderr.on('data', chunk => {
      log += chunk
      if (log.includes(' attached')) resolve()
    })
    child.once('exit', () => resolve())
  })
  await attached
  await act()
  child.kill('SIGINT')
  await once(child, 'exit')
  return log.split('\n').filter(line => /f(data)?sync\(|syncfs\(/.test(line)).length
}

async function withClient<T>(node: Subject, use: (client: Client) => Promise<T>): Promise<T> {
  await using driver = await Driver.connect(node.socket)
  const { address } = await driver.info()
  await using client = await Client.dial(driver, address)
  return await use(client)
}

async function dialMany(driver: Driver, count: number): Promise<Stream[]> {
  const { address } = await driver.info()
  const streams: Stream[] = []
  for (let i = 0; i < count; i++) {
    const stream = await driver.dial(address, DATA_EXCHANGE_PORT).catch(() => undefined)
    if (stream === undefined) break
    stream.on('error', () => {}).resume()
    streams.push(stream)
  }
  return streams
}

/** The answer to `bytes`, or undefined where the connection ends without one. */
async function ask(node: Subject, bytes: Uint8Array): Promise<string | undefined> {
  await using driver = await Driver.connect(node.socket)
  const [stream] = await dialMany(driver, 1)
  if (stream === undefined) return undefined
  stream.pause()
  stream.write(bytes)
  const answer = await readFrame(stream).catch(() => null)
  stream.destroy()
  return answer === null ? undefined : Buffer.from(answer.payload).toString()
}

function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(type, 0)
  head.writeUInt32BE(payload.length, 4)
  return Buffer.concat([head, payload])
}

function named(name: string, data: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(Buffer.byteLength(name))
  return Buffer.concat([length, Buffer.from(name), Buffer.from(data)])
}

function stored(node: Subject): number {
  return namesIn(node, 'inbox').length + namesIn(node, 'received').length
}

function namesIn({ home }: Subject, folder: 'inbox' | 'received'): string[] {
  try {
    const entries = readdirSync(join(home, folder), { withFileTypes: true })
    return entries.filter(entry => entry.isFile()).map(entry => entry.name)
  } catch {
    return []
  }
}

function isWhole(path: string): boolean {
  try {
    JSON.parse(readFileSync(path, 'utf8'))
    return true
  } catch {
    return false
  }
}

/** Resident memory, in MiB. */
function resident({ pid }: Subject): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
