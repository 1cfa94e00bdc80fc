import type { Socket } from 'node:net'
import { join } from 'node:path'
import { AbusedService } from './abused-service.js'
import { foldersIn, Scratch } from './folders.js'
import type { Row, RowContext, RowReport } from './row.js'
import { StoredReader, strays } from './stored.js'

/** Sixteen peers send one frame of 64 MiB each, at once: files, then texts. */
export const row: Row = { needs: ['linux'], ci: 1, record: 10, run }

const PEERS = 16
const MiB = 1024 * 1024
const SIZE = 64 * MiB
const MOST_MIB = 200
const PIECE = 256 * 1024
const ANSWER_MS = 120_000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Record<string, number> = {}
  for (let i = 0; i < n; i++) {
    for (const [kind, head] of Object.entries({ file: fileHead(), text: textHead() })) {
      using scratch = new Scratch()
      const folders = foldersIn(scratch.path)
      await using service = await AbusedService.start(join(scratch.path, 's'), folders)
      counts.atRestMiB = Math.round(service.peakMemory)
      const piece = Buffer.alloc(PIECE, random.integer(0x61, 0x7a))
      const sent = Array.from({ length: PEERS }, (_, peer) => send(service, peer + 1, head, piece))
      const answers = await Promise.all(sent)
      const peak = Math.round(service.peakMemory)
      counts[`${kind}MiB`] = Math.max(counts[`${kind}MiB`] ?? 0, peak)
      if (peak >= MOST_MIB) failures.push(`${peak} MiB for ${PEERS} ${kind}s at once`)
      failures.push(...answers.filter(answer => answer !== `ACK ${kind.toUpperCase()} ${SIZE} bytes`))
      const found = new StoredReader(folders).read()
      failures.push(...strays(found))
      if (found.length !== PEERS) failures.push(`${found.length} of ${PEERS} ${kind}s are there`)
    }
  }
  return { n, failures, counts }
}

function fileHead(): Buffer {
  const name = Buffer.from('\0\x05a.bin')
  const head = Buffer.alloc(8)
  head.writeUInt32BE(4, 0)
  head.writeUInt32BE(SIZE + name.length, 4)
  return Buffer.concat([head, name])
}

function textHead(): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(1, 0)
  head.writeUInt32BE(SIZE, 4)
  return head
}

/** Sends {@link SIZE} bytes, and gives the answer's text. */
async function send(service: AbusedService, node: number, head: Buffer, piece: Buffer): Promise<string> {
  const socket = await service.connect(node)
  const late = setTimeout(() => socket.destroy(), ANSWER_MS)
  const answer = readAnswer(socket).catch(error => `no answer: ${error}`)
  socket.write(head)
  for (let at = 0; at < SIZE && !socket.destroyed; at += PIECE) {
    await new Promise<unknown>(resolve => socket.write(piece, resolve))
  }
  const text = await answer
  clearTimeout(late)
  socket.destroy()
  return text
}

async function readAnswer(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) {
    chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    if (bytes.length >= 8 && bytes.length >= 8 + bytes.readUInt32BE(4)) return bytes.toString('utf8', 8)
  }
  return 'the connection ended without an answer'
}
