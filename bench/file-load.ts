import type { Duplex } from 'node:stream'
import { Client } from '#lib/client/client.js'
import { Address } from '#lib/pilot/address.js'
import { encodeHeader } from '#lib/wire/encode.js'
import { SocketStreams } from '../test/helpers/socket-streams.ts'
import { AnswerCounter } from './answer-counter.ts'
import { LARGEST_FRAME } from './service-options.ts'

/** Bytes written at a time. */
const PIECE = Buffer.alloc(256 * 1024, 'file data ')

/** Sends one FILE frame of `size` bytes out of memory. Resolves when it is acknowledged. */
export async function sendFile(connection: Duplex, size: number): Promise<void> {
  const counter = new AnswerCounter()
  const answered = new Promise<void>((resolve, reject) => {
    connection.once('close', () => reject(new Error('the service closed the connection')))
    connection.on('data', (chunk: Buffer) => {
      try {
        if (counter.push(chunk) > 0) resolve()
      } catch (error) {
        reject(error)
      }
    })
  })
  const head = { type: 4, length: size, filename: 'bench.bin' }
  connection.write(encodeHeader(head, { maxFrameSize: LARGEST_FRAME }))
  for (let left = size; left > 0; left -= PIECE.length) {
    const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE
    await new Promise<void>((resolve, reject) => {
      connection.write(piece, error => (error ? reject(error) : resolve()))
    })
  }
  await answered
}

/** Sends the file at `path` as a user of the library does. Resolves when it is acknowledged. */
export async function deliverFile(socket: string, path: string): Promise<void> {
  const options = { maxFrameSize: LARGEST_FRAME }
  await using client = await Client.dial(new SocketStreams(socket, null), new Address(0, 0xa), options)
  await client.deliver({ file: path }, { answerTimeoutMs: 120_000 })
}
