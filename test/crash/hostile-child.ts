// Run as a child with a channel: `hostile-child.js '<HostileOrder as JSON>'`. Opens its connections, tells 'open' when all
// are, and goes on until each has been closed by the service; then tells how long the last one of each kind stayed.
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Address } from '#lib/pilot/address.js'
import { connectAs } from '../helpers/socket-streams.js'
import type { HostileKind, HostileOrder } from './hostile.js'

const { socket: path, kinds, each, perNode, firstNode }: HostileOrder = JSON.parse(process.argv[2] ?? '')
process.on('disconnect', () => process.exit())

/** Frames of a type that nobody knows. */
const EMPTY = header(99, 0)
const UNKNOWN = Buffer.concat([header(99, 8), Buffer.alloc(8)])

const lives: Promise<unknown>[] = []
const longest: Partial<Record<HostileKind, number>> = {}
let opened = 0
for (let i = 0; i < each; i++) {
  for (const kind of kinds) {
    const socket = await connectAs(path, new Address(0, firstNode + Math.floor(opened++ / perNode)))
    socket.on('error', () => {})
    const since = performance.now()
    const gone = new Promise(resolve => socket.once('close', resolve))
    lives.push(
      gone.then(() => {
        longest[kind] = Math.max(longest[kind] ?? 0, Math.round(performance.now() - since))
      }),
    )
    void live(kind, socket, i)
  }
}
process.send?.('open')
await Promise.all(lives)
process.send?.(longest, () => process.exit())

async function live(kind: HostileKind, socket: Socket, i: number): Promise<void> {
  if (kind !== 'deaf') socket.resume()
  if (kind === 'dribble') await dribble(socket, i)
  else if (kind === 'zero') await flood(socket, EMPTY)
  else if (kind === 'lie') socket.write(header(i % 2 === 0 ? 4 : 1, 2 ** 28))
  else if (kind === 'deaf') await flood(socket, UNKNOWN)
}

/** A byte a second, of a frame that is small, or large. */
async function dribble(socket: Socket, i: number): Promise<void> {
  socket.write(header(1, i % 2 === 0 ? 100_000 : 10_000_000))
  await delay(Math.random() * 1000)
  while (!socket.destroyed) {
    socket.write('x')
    await delay(1000)
  }
}

/** As fast as the service takes it. */
async function flood(socket: Socket, bytes: Buffer): Promise<void> {
  while (!socket.destroyed) {
    await new Promise<unknown>(resolve => socket.write(bytes, resolve))
  }
}

function header(type: number, length: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(type, 0)
  head.writeUInt32BE(length, 4)
  return head
}
