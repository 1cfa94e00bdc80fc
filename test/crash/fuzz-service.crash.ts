import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setImmediate as tick } from 'node:timers/promises'
import { AbusedService } from './abused-service.js'
import { foldersIn, MEMORY, Scratch, temporaries } from './folders.js'
import { readWire, type WireFrame } from './frame-oracle.js'
import { keyOf, makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { deliver } from './load.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { StoredReader, strays } from './stored.js'
import { WireFuzz } from './wire-fuzz.js'

/** Frames for a live service: valid, broken, dribbled, cut, over many connections at once. */
export const row: Row = { needs: ['linux'], ci: 100_000, record: 10_000_000, run }

/** Frames for one service and its folders; then it is stopped. */
const FRAMES_A_SERVICE = 20_000
const FRAMES_A_BATCH = 2_000
/** Many of them wait: a connection that is closed over a frame stays for half a second. */
const CONNECTIONS = 160
const CAP = 8 * 1024 * 1024
const ANSWER_MS = 60_000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { frames: 0, whole: 0, acknowledged: 0, refused: 0, closed: 0, connections: 0 }
  for (let done = 0; done < n; done += FRAMES_A_SERVICE) {
    // Nothing here is about a disk.
    using scratch = new Scratch(MEMORY)
    const folders = foldersIn(scratch.path)
    const ledger = new Ledger(folders)
    const stored = new StoredReader(folders)
    await using service = await AbusedService.start(join(scratch.path, 's'), {
      ...folders,
      maxFrameSize: CAP,
      durability: 'os',
    })
    for (let i = done; i < Math.min(n, done + FRAMES_A_SERVICE); i += FRAMES_A_BATCH) {
      await attack({ service, ledger, random, counts, failures }, FRAMES_A_BATCH)
      if (!service.isAlive) return { n, failures: [...failures, 'the service died'], counts }
      await using honest = await service.dial(HONEST)
      const outcome = await deliver(honest, makeItem(random, 'TEXT', 500), ledger)
      if (outcome !== 'acknowledged') failures.push(`an honest frame was ${outcome}`)
      const found = stored.read()
      failures.push(...strays(found), ...ledger.judge(found))
    }
    if (!(await service.stop())) failures.push('the service did not stop')
    failures.push(...temporaries(folders).map(path => `left behind at the stop: ${path}`))
    counts.acknowledged += ledger.totals.acknowledged
    counts.refused += ledger.totals.refused
  }
  return { n, failures, counts }
}

interface Attack {
  readonly service: AbusedService
  readonly ledger: Ledger
  readonly random: Random
  readonly counts: Record<'frames' | 'whole' | 'closed' | 'connections', number>
  readonly failures: string[]
}

const HONEST = 0xffff
/** Types whose answers are known for good; FILESTREAM and TAGGED are sent where nobody looks at the answers. */
const ANSWERED = [1, 1, 2, 3, 4, 4, 4, 5, 6, 0, 99, 2 ** 32 - 1]
const ANY = [...ANSWERED, 7, 8, 9, 10]
/** FILESTREAM has answers of its own, or none; what is in a TAGGED frame may be stored. */
const UNANSWERED = new Set([7, 10])

async function attack(context: Attack, frames: number): Promise<void> {
  const { service, random, counts } = context
  const until = counts.frames + frames
  const answered = new WireFuzz(random, ANSWERED)
  const any = new WireFuzz(random, ANY)
  const attacker = async (node: number) => {
    while (counts.frames < until && service.isAlive) {
      counts.connections++
      if (random.chance(0.25)) await cutOff(context, any, node)
      else await wait(context, answered, node)
    }
  }
  // Nobody can connect to a service that has died: the caller sees that it has.
  const attackers = Array.from({ length: CONNECTIONS }, (_, node) => attacker(node + 1))
  for (const end of await Promise.allSettled(attackers)) {
    if (end.status === 'rejected' && service.isAlive) throw end.reason
  }
}

/** Sends, and goes away in the middle, or reads nothing. */
async function cutOff(
  { service, ledger, random, counts }: Attack,
  fuzz: WireFuzz,
  node: number,
): Promise<void> {
  const wire = anyStream(random, fuzz, counts)
  const sent = wire.subarray(0, random.integer(0, wire.length))
  for (const frame of readWire(sent, CAP).frames)
    for (const { key } of storedOf(frame)) ledger.count(key, 'sent')
  const socket = await service.connect(node)
  await write(socket, fuzz.split(sent, 5), random)
  if (random.chance(0.5)) socket.end()
  socket.destroy()
}

/** Sends, and compares the answers with those that are due. */
async function wait(context: Attack, fuzz: WireFuzz, node: number): Promise<void> {
  const { service, ledger, random, counts, failures } = context
  const { wire, frames, end } = answeredStream(random, fuzz, counts)
  counts.whole += frames.length
  for (const frame of frames) for (const { key } of storedOf(frame)) ledger.count(key, 'sent')
  const socket = await service.connect(node)
  const isBroken = end !== 'clean' && end !== 'FRAME_TRUNCATED'
  const read = readAnswers(socket, frames.length, isBroken)
  await write(socket, fuzz.split(wire, 8), random)
  const { answers, closed } = await read
  socket.destroy()
  if (closed) counts.closed++
  if (isBroken && !closed) failures.push(`a stream that ends with ${end} was not closed: ${hex(wire)}`)
  if (answers.length !== frames.length) {
    failures.push(`${answers.length} answers to ${frames.length} frames (${end}): ${hex(wire)}`)
  }
  for (const [i, answer] of answers.entries()) {
    const frame = frames[i]
    if (frame === undefined) break
    const text = answer.payload.toString()
    if (!isDue(frame, answer)) failures.push(`${text} to ${frame.type}: ${hex(frame.payload)}`)
    for (const { key, ack } of storedOf(frame))
      ledger.count(key, text.includes(ack) ? 'acknowledged' : 'refused')
  }
}

/** A stream whose answers are known: a byte that was flipped may have made a frame one of the others. */
function answeredStream(random: Random, fuzz: WireFuzz, counts: Attack['counts']) {
  for (;;) {
    const wire = anyStream(random, fuzz, counts)
    const read = readWire(wire, CAP)
    if (!read.frames.some(({ type }) => UNANSWERED.has(type))) return { wire, ...read }
  }
}

function anyStream(random: Random, fuzz: WireFuzz, counts: Attack['counts']): Buffer {
  const draw = random.next()
  const most = draw < 0.01 ? 600_000 : draw < 0.1 ? 20_000 : 200
  const frames = Array.from({ length: random.integer(1, 8) }, () => fuzz.frame(most))
  counts.frames += frames.length
  return fuzz.stream(frames, 0.5)
}

async function write(socket: Socket, pieces: readonly Buffer[], random: Random): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return
    if (piece.length < 100 && random.chance(0.1)) for (const byte of piece) socket.write(Buffer.of(byte))
    else socket.write(piece)
    if (random.chance(0.7)) await tick()
  }
}

/** The first `count` answers, or fewer where the connection ends or they do not come; then, `toTheEnd`, the close. */
function readAnswers(
  socket: Socket,
  count: number,
  toTheEnd: boolean,
): Promise<{ answers: WireFrame[]; closed: boolean }> {
  let bytes: Buffer = Buffer.alloc(0)
  return new Promise(resolve => {
    const settle = (closed: boolean) => {
      clearTimeout(late)
      resolve({ answers: readWire(bytes, CAP).frames, closed })
    }
    const late = setTimeout(() => settle(false), ANSWER_MS)
    const look = () => {
      if (!toTheEnd && readWire(bytes, CAP).frames.length >= count) settle(false)
    }
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      look()
    })
    socket.once('close', () => settle(true))
    look()
  })
}

/** The files that storing `frame` leaves on the disk, and the part of the answer that says so. */
function storedOf({ type, payload, name }: WireFrame): { key: string; ack: string }[] {
  const text = MESSAGES[type]
  if (text !== undefined) return [{ key: keyOf(text, payload), ack: `ACK ${text} ${payload.length} bytes` }]
  if (type === 4) {
    return name === undefined
      ? []
      : [{ key: keyOf('FILE', payload), ack: `ACK FILE ${payload.length} bytes` }]
  }
  const inner = type === 5 ? innerOf(payload) : undefined
  return inner === undefined ? [] : storedOf(inner)
}

/** The frame within a TRACE, where that can be stored. */
function innerOf(payload: Buffer): WireFrame | undefined {
  if (payload.length < TRACE_HEAD) return undefined
  const type = payload.readUInt32BE(0)
  const inner = payload.subarray(TRACE_HEAD)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(inner.length)
  return type === 5
    ? undefined
    : readWire(Buffer.concat([payload.subarray(0, 4), length, inner]), CAP).frames[0]
}

/** Whether `answer` is one that section 2 has for `frame`. */
function isDue(frame: WireFrame, answer: WireFrame): boolean {
  const { type, payload } = frame
  const text = answer.payload.toString()
  if (type === 5) {
    if (payload.length < TRACE_HEAD) return answer.type === 1 && text.startsWith('ERR trace parse: ')
    if (answer.type !== 3) return false
    const { inner_ack: inner } = JSON.parse(text)
    const ack = storedOf(frame)[0]?.ack
    return ack === undefined ? inner.startsWith('ERR ') : inner === ack
  }
  if (answer.type !== 1) return false
  const [stored] = storedOf(frame)
  if (stored !== undefined) return text === stored.ack
  return text.startsWith(type === 4 ? 'ERR FILE save failed: ' : `ERR UNKNOWN(${type}) save failed: `)
}

const TRACE_HEAD = 12
const MESSAGES: Readonly<Record<number, string>> = { 1: 'TEXT', 2: 'BINARY', 3: 'JSON', 6: 'AUTOANSWER' }

function hex(bytes: Buffer): string {
  return bytes.subarray(0, 200).toString('hex')
}
