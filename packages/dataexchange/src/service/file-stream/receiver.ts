import { setTimeout as delay } from 'node:timers/promises'
import { concat, MiB } from '../../bytes.ts'
import { MailboxError, WireError } from '../../errors.ts'
import type { Payload, Transfer } from '../../mailbox/mailbox.ts'
import { reasonForPeer } from '../../system-errors.ts'
import {
  decodeFileStream,
  encodeFileStream,
  FileStreamKind,
  type FileStreamMessage,
  readFileStreamHead,
  TRANSFER_ID_SIZE,
} from '../../wire/file-stream.ts'
import { FRAME_HEADER_SIZE, type Frame, FrameType, typeName } from '../../wire/frame.ts'
import type { FrameAnswer } from '../answer-queue.ts'
import { publishFile, publishIfFull } from '../events.ts'
import type { HandlerContext, IncomingFrame } from '../handlers/handler.ts'
import { requestRefusal } from '../handlers/refusal.ts'
import { drainPayload, isCutOff, splitPayload } from '../payload.ts'
import type { ByteBudget } from '../peers/byte-budget.ts'
import { OutOfOrderChunks } from './out-of-order-chunks.ts'

/** Largest data of a CHUNK; a longer one ends the transfer. @limit bytes */
export const TRANSFER_CHUNK: number = MiB

/** Options of {@link FileStreamReceiver}. */
export interface FileStreamReceiverOptions {
  /** Budget of the peer, charged with the chunks that are held in memory. */
  budget: ByteBudget
  /**
   * Called when frames begin to wait for the rates of the sender (true), and when none waits any more (false).
   * Meanwhile nothing should be read: the frames behind them would be held in memory for as long.
   */
  onPacing: (isPacing: boolean) => void
}

/**
 * Receives the FILESTREAM transfers of one connection, interleaved in any way. Frames are handled one after the other. An
 * ACK carries the contiguous bytes on the disk `[stream.receive-ack]`; COMPLETE means that the file is durable and visible
 * `[stream.receive-done]`. A transfer that ends earlier keeps its partial file for a resume, unless its content is wrong.
 */
export class FileStreamReceiver {
  readonly #context: HandlerContext
  readonly #budget: ByteBudget
  readonly #transfers = new Map<string, Incoming>()
  readonly #stopping = new AbortController()
  readonly #onPacing: (isPacing: boolean) => void
  #last: Promise<unknown> = Promise.resolve()
  /** Number of frames that wait for the rate limits, and the end of the last wait. */
  #pacing = 0
  #paced: Promise<void> = Promise.resolve()

  constructor(context: HandlerContext, { budget, onPacing }: FileStreamReceiverOptions) {
    this.#context = context
    this.#budget = budget
    this.#onPacing = onPacing
  }

  /**
   * Handles one frame after all earlier ones. Resolves with its answer, or null for none. Rejects only if the payload is
   * cut off.
   */
  handle(frame: IncomingFrame): Promise<FrameAnswer> {
    // Counts the frame on arrival, not at its turn, so that the read loop pauses in time.
    const paced = this.#pace(frame.length)
    const answer = this.#last.then(() => paced).then(() => this.#receive(frame))
    this.#last = answer.catch(() => undefined)
    return answer
  }

  /** Stops waiting for the rate limits: frames that have arrived are handled at once. */
  stop(): void {
    this.#stopping.abort()
  }

  /** Closes the transfers and keeps their partial files. Called when no frame is being handled. */
  async close(): Promise<void> {
    const open = [...this.#transfers.values()]
    await Promise.all(open.map(({ file }) => file.close('its connection has ended')))
  }

  async #receive(frame: IncomingFrame): Promise<FrameAnswer> {
    const [head, rest] = await splitPayload(frame.payload, HEAD_SIZE)
    if (head.length < HEAD_SIZE) return this.#failed(NO_ID, 'the frame is too short to name its transfer')
    const { kind, id } = readFileStreamHead(head)
    if (kind === FileStreamKind.chunk) return this.#chunk(head, rest, frame.length)
    const [body, excess] = await splitPayload(rest, LONGEST_BODY)
    await drainPayload(excess)
    if (kind === FileStreamKind.init) return this.#init(id, concat([head, body]))
    if (kind === FileStreamKind.done) return this.#done(id)
    if (kind === FileStreamKind.abort)
      await this.#transfers.get(hexOf(id))?.file.close('its sender gave it up')
    // Kinds that only receivers send, and unknown kinds, get no answer.
    return null
  }

  /**
   * Resolves when the rate limits allow a frame of `bytes`, in order. A sender over its limits is read slowly; an error
   * would make it abandon or restart the transfer.
   */
  #pace(bytes: number): Promise<void> {
    if (this.#pacing > 0 || !this.#context.rates.take(bytes)) {
      if (this.#pacing++ === 0) this.#onPacing(true)
      this.#paced = this.#paced.then(() => this.#waitForRates(bytes))
    }
    return this.#paced
  }

  async #waitForRates(bytes: number): Promise<void> {
    const { rates } = this.#context
    const { signal } = this.#stopping
    while (!rates.take(bytes) && !signal.aborted) {
      await delay(Math.ceil(rates.wait) + 1, undefined, { signal }).catch(() => undefined)
    }
    if (--this.#pacing === 0) this.#onPacing(false)
  }

  async #init(id: Uint8Array, payload: Uint8Array): Promise<FrameAnswer> {
    const { mailbox, events, from } = this.#context
    let size = 0
    try {
      const message = decodeFileStream(payload)
      if (message.kind !== 'init') return null
      const { sha256, filename } = message
      size = message.size
      const refusal = await requestRefusal(() => ({ type: FILE, size, filename }), this.#context)
      if (refusal !== undefined) return this.#failed(id, refusal, 'not admitted')
      const file = await mailbox.openTransfer({ id, owner: from, filename, size, sha256 })
      this.#add(hexOf(id), { file, filename, held: new OutOfOrderChunks(this.#budget) })
      return answer({ kind: 'initAck', id, offset: file.offset })
    } catch (error) {
      publishIfFull(events, error, { frameType: FrameType.FileStream, size, mailbox })
      return this.#failed(id, textForPeer(error), reasonForPeer(error), error)
    }
  }

  #add(key: string, incoming: Incoming): void {
    this.#transfers.set(key, incoming)
    // After the transfer is closed, by either side, its chunks are dropped and further frames are refused.
    void incoming.file.closed.then(() => {
      incoming.held.clear()
      if (this.#transfers.get(key) === incoming) this.#transfers.delete(key)
    })
  }

  async #chunk(head: Uint8Array, rest: Payload, length: number): Promise<FrameAnswer> {
    const { id } = readFileStreamHead(head)
    const [offset, data] = await splitPayload(rest, OFFSET_SIZE)
    const incoming = this.#transfers.get(hexOf(id))
    try {
      if (incoming === undefined) throw new Refusal(NO_TRANSFER)
      if (length > HEAD_SIZE + OFFSET_SIZE + TRANSFER_CHUNK) throw new Refusal('the chunk is too large')
      await this.#takeAll(incoming, startOf(concat([head, offset])), data)
      return answer({ kind: 'ack', id, received: incoming.file.offset })
    } catch (error) {
      if (isCutOff(error)) throw error
      await drainPayload(data)
      if (error instanceof Refusal) {
        await incoming?.file.close(error.message, error.isKept)
        return this.#aborted(id, error.message)
      }
      await incoming?.file.close('it has failed')
      if (error instanceof WireError || isClosed(error))
        return this.#aborted(id, textForPeer(error), reasonForPeer(error))
      return this.#failed(id, textForPeer(error), reasonForPeer(error), error)
    }
  }

  async #takeAll(incoming: Incoming, offset: number, data: Payload): Promise<void> {
    let at = offset
    for await (const piece of data instanceof Uint8Array ? [data] : data) {
      await this.#take(incoming, at, piece)
      at += piece.length
    }
  }

  /** Writes the new part of `bytes` at offset `at`, or keeps it until the bytes before it arrive. */
  async #take({ file, held }: Incoming, at: number, bytes: Uint8Array): Promise<void> {
    const end = at + bytes.length
    // Either the declared size or the data is wrong: the transfer cannot succeed.
    if (end > file.size) throw new Refusal('a chunk goes past the size that INIT declared', false)
    if (at > file.offset) {
      if (!held.add(at, bytes)) throw new Refusal('too much has come before what goes in front of it')
      return
    }
    if (end <= file.offset) return
    let next: Uint8Array | undefined = bytes.subarray(file.offset - at)
    while (next !== undefined) {
      await file.write(next)
      next = held.take(file.offset)
    }
  }

  async #done(id: Uint8Array): Promise<FrameAnswer> {
    const incoming = this.#transfers.get(hexOf(id))
    if (incoming === undefined) return this.#failed(id, NO_TRANSFER)
    const { file, filename } = incoming
    try {
      const { path, size, unpacking } = await file.finish()
      publishFile(this.#context.events, { filename, size, path, unpacking })
      return answer({ kind: 'complete', id, ok: true, message: '' })
    } catch (error) {
      return this.#failed(id, textForPeer(error), reasonForPeer(error), error)
    }
  }

  /** Counts and logs `reason`, which has no text of the sender; `message` may have some. */
  #failed(id: Uint8Array, message: string, reason = message, err?: unknown): FrameAnswer {
    this.#note(reason, err)
    return answer({ kind: 'complete', id, ok: false, message })
  }

  #aborted(id: Uint8Array, message: string, reason = message): FrameAnswer {
    this.#note(reason)
    return answer({ kind: 'abort', id, message })
  }

  #note(reason: string, err?: unknown): void {
    const { from, refusals } = this.#context
    refusals.note(`transfers were refused: ${reason}`, { from, ...(err !== undefined && { err }) })
  }
}

interface Incoming {
  readonly file: Transfer
  /** The sender's name of the file. */
  readonly filename: string
  readonly held: OutOfOrderChunks
}

/** A refused chunk. `isKept` tells whether the partial file is kept. */
class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly isKept: boolean

  constructor(message: string, isKept = true) {
    super(message)
    this.isKept = isKept
  }
}

const HEAD_SIZE = 1 + TRANSFER_ID_SIZE
const OFFSET_SIZE = 8
/** Longest body that is read of any kind but CHUNK. An INIT with the longest name is shorter. */
const LONGEST_BODY = 512
/** The type that hooks see, so that a filter of files applies to transfers. */
const FILE = typeName(FrameType.File)
const NO_ID = new Uint8Array(TRANSFER_ID_SIZE)
const NO_TRANSFER = 'no active transfer (send INIT first)'

function answer(message: FileStreamMessage): FrameAnswer {
  // The payload may be a view of a buffer that is reused before the write, so it is encoded now.
  const [bytes = new Uint8Array(0)] = encodeFileStream(message)
  const frame: Frame = { type: FrameType.FileStream, payload: bytes.subarray(FRAME_HEADER_SIZE) }
  return () => frame
}

function startOf(payload: Uint8Array): number {
  const message = decodeFileStream(payload)
  return message.kind === 'chunk' ? message.offset : 0
}

/** The text for the peer. The text of a WireError is safe, because it describes only the peer's frame. */
function textForPeer(error: unknown): string {
  return error instanceof WireError ? error.message : reasonForPeer(error)
}

function isClosed(error: unknown): boolean {
  return error instanceof MailboxError && error.code === 'TRANSFER_CLOSED'
}

function hexOf(id: Uint8Array): string {
  return Buffer.from(id).toString('hex')
}
