import { Command, decodeConnId, decodeDial } from '#lib/pilot/ipc-messages.js'
import { unpack } from './runs.js'
import { type Program, parseEvent, type Side, type Transcript } from './transcript.js'

/** A piece of a stream, as it passed a daemon's socket. */
export interface Piece {
  /** The end of the stream that it comes from: the client has dialled. */
  readonly from: Side
  readonly bytes: Buffer
}

/** A stream that one of the recorded programs has dialled. */
export interface RecordedStream {
  readonly program: Program
  /** As it is written: that of the node that was dialled. */
  readonly address: string
  readonly port: number
  readonly pieces: Piece[]
}

/** Something that a node met, in order. */
export type Step =
  | { readonly kind: 'piece'; readonly stream: RecordedStream; readonly piece: Piece }
  | { readonly kind: 'close'; readonly stream: RecordedStream }
  | { readonly kind: 'file'; readonly home: string; readonly path: string; readonly content: Buffer }

/** All that went over the streams that were dialled in a recording. */
export function stepsOf({ events, programs }: Transcript): Step[] {
  const steps: Step[] = []
  const dialled = new Map<string, { address: string; port: number }[]>()
  const streams = new Map<string, RecordedStream>()
  for (const event of events.map(parseEvent)) {
    if (event.kind === 'file') {
      steps.push({ ...event, content: unpack(event.content) })
      continue
    }
    if (event.kind !== 'message') continue
    const socket = `${event.program}.${event.connection}`
    const payload = unpack(event.payload)
    if (event.command === Command.Dial) {
      const { address, port } = decodeDial(payload)
      dialled.set(socket, [...(dialled.get(socket) ?? []), { address: `${address}`, port }])
    } else if (event.command === Command.DialOk) {
      const target = dialled.get(socket)?.shift()
      const program = programs[event.program]
      if (target === undefined || program === undefined) throw new Error(`${socket}: DIAL-OK without DIAL`)
      streams.set(`${socket} ${decodeConnId(payload)}`, { program, ...target, pieces: [] })
    } else if (event.command === Command.Error) {
      dialled.get(socket)?.shift()
    } else if (STREAM_COMMANDS.has(event.command)) {
      const stream = streams.get(`${socket} ${decodeConnId(payload)}`)
      if (stream === undefined) continue
      if (event.command === Command.Close) {
        steps.push({ kind: 'close', stream })
      } else if (event.command !== Command.CloseOk) {
        const piece = { from: event.from, bytes: payload.subarray(4) }
        stream.pieces.push(piece)
        steps.push({ kind: 'piece', stream, piece })
      }
    }
  }
  return steps
}

/** The streams of a recording. */
export function streamsOf(transcript: Transcript): RecordedStream[] {
  return [...new Set(stepsOf(transcript).flatMap(step => (step.kind === 'piece' ? [step.stream] : [])))]
}

/** The bytes that one end of a stream has sent. */
export function sentBy(side: Side, { pieces }: RecordedStream): Buffer {
  return Buffer.concat(pieces.filter(({ from }) => from === side).map(({ bytes }) => bytes))
}

const STREAM_COMMANDS: ReadonlySet<number> = new Set([
  Command.Send,
  Command.Recv,
  Command.Close,
  Command.CloseOk,
])
