import { Condition } from '../../async/condition.ts'
import { withWait } from '../../async/wait.ts'
import { KiB } from '../../bytes.ts'
import { DriverError } from '../../errors.ts'
import { endStream } from '../../pilot/end-stream.ts'
import type { Stream } from '../../pilot/transport.ts'
import { encodeFileStream, type FileStreamMessage } from '../../wire/file-stream.ts'
import { writePieces } from '../../wire/frame-io.ts'
import { abortReason, invalid, isDaemonGone, isLost, readAnswer, refused } from './answers.ts'
import type { FileToSend, UploadListener, UploadOutcome } from './upload-types.ts'

/** Data of one chunk of a file transfer. @limit bytes */
export const CHUNK: number = 48 * KiB

/**
 * Chunks of a transfer that the receiver has not acknowledged; at this number the sender waits.
 * @limit count
 */
const WINDOW_CHUNKS = 16

/**
 * Time for the answer to the INIT of a transfer; a peer that has never given one does not support FILESTREAM
 * and gets one FILE frame.
 * @limit ms
 */
export const INIT_ACK_TIMEOUT_MS = 5_000

/** What {@link upload} needs beside the file. */
export interface UploadOptions {
  listener: UploadListener
  /** When it fires, the peer is told ABORT. */
  signal: AbortSignal
}

/**
 * Sends `file` over one connection, from where the peer has it on, and closes the connection (section 4). Where
 * sending fails on this side, the peer is told ABORT first.
 *
 * @throws {DeliveryError} PEER_REFUSED, ANSWER_INVALID, SOURCE_CHANGED, SOURCE_UNREADABLE; CONNECTION_CLOSED
 * where the connection was lost
 * @throws {DriverError} ABORTED
 */
export async function upload(
  stream: Stream,
  file: FileToSend,
  { listener, signal }: UploadOptions,
): Promise<UploadOutcome> {
  stream.on('error', () => {})
  const connection = new Connection(stream, file, listener)
  try {
    const outcome = await withWait('the transfer', { signal }, () => connection.run())
    if (outcome.kind === 'unsupported') stream.destroy()
    else await endStream(stream)
    return outcome
  } catch (error) {
    if (isLost(error)) stream.destroy()
    else await connection.abort(error)
    throw error
  } finally {
    await connection.stop()
  }
}

class Connection {
  readonly #stream: Stream
  readonly #file: FileToSend
  readonly #listener: UploadListener
  readonly #condition = new Condition()
  #writing: Promise<void> = Promise.resolve()
  #acknowledged = 0
  #isDone = false
  #stopped = false

  constructor(stream: Stream, file: FileToSend, listener: UploadListener) {
    this.#stream = stream
    this.#file = file
    this.#listener = listener
  }

  async run(): Promise<UploadOutcome> {
    const begin = await this.#begin()
    if (typeof begin !== 'number') return begin
    this.#acknowledged = begin
    this.#listener.begun(begin)
    const answering = this.#readAnswers()
    this.#writing = this.#writeFile(begin)
    // Whichever fails first says why; what the other fails with follows from it.
    answering.catch(() => {})
    return Promise.race([answering, this.#writing.then(() => answering)])
  }

  /** Tells the peer why no more will come, and closes. */
  async abort(error: unknown): Promise<void> {
    this.#stopped = true
    const message = abortReason(error)
    void this.#write({ kind: 'abort', id: this.#file.id, message })
    await endStream(this.#stream)
  }

  /** Resolves once nothing of this connection reads the file any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#condition.notify()
    await this.#writing.catch(() => {})
  }

  /** Where to go on, or how it has ended already. */
  async #begin(): Promise<number | UploadOutcome> {
    const { id, sha256, name, source } = this.#file
    const timeoutMs = INIT_ACK_TIMEOUT_MS
    void this.#write({ kind: 'init', id, sha256, size: source.size, chunkSize: CHUNK, filename: name })
    try {
      return await withWait('the answer to INIT', { timeoutMs }, () => this.#firstAnswer())
    } catch (error) {
      if (error instanceof DriverError && error.code === 'TIMED_OUT') {
        return { kind: 'unsupported', why: `it gave no answer for ${timeoutMs} ms`, answered: 'nothing' }
      }
      if (isLost(error) && !isDaemonGone(error)) {
        return { kind: 'unsupported', why: 'it closed the connection', answered: 'close' }
      }
      throw error
    }
  }

  async #firstAnswer(): Promise<number | UploadOutcome> {
    const answer = await readAnswer(this.#stream, this.#file.id)
    if (answer.kind === 'initAck') return this.#checked(answer.offset)
    if (answer.kind === 'abort' || (answer.kind === 'complete' && !answer.ok)) throw refused(answer.message)
    const what = answer.kind === 'other' ? answer.text : `with ${answer.kind.toUpperCase()}`
    return { kind: 'unsupported', why: `it answered ${what}`, answered: 'other' }
  }

  async #readAnswers(): Promise<UploadOutcome> {
    for (;;) {
      const answer = await readAnswer(this.#stream, this.#file.id)
      switch (answer.kind) {
        case 'ack':
          this.#advance(this.#checked(answer.received))
          break
        case 'complete':
          if (!answer.ok) return this.#failed(answer.message)
          if (!this.#isDone) throw invalid('it says that it has stored a file that was not sent yet')
          return { kind: 'stored', answer: answer.message }
        case 'abort':
          throw refused(answer.message)
        case 'other':
          throw invalid(`it answered ${answer.text}`)
        default:
          throw invalid(`it sent ${answer.kind.toUpperCase()} in the middle of a transfer`)
      }
    }
  }

  #failed(answer: string): UploadOutcome {
    // Only the text says which failure it is. A refusal taken for this one costs another try, and no more.
    if (this.#isDone && /mismatch|hash|sha-?256|checksum/i.test(answer)) return { kind: 'mismatch', answer }
    throw refused(answer)
  }

  #advance(received: number): void {
    if (received <= this.#acknowledged) return
    this.#acknowledged = received
    this.#listener.acknowledged(received)
    this.#condition.notify()
  }

  #checked(offset: number): number {
    const { size } = this.#file.source
    if (offset <= size) return offset
    throw invalid(`it says that it has ${offset} bytes of a file of ${size}`)
  }

  /** Rejects where the file cannot be read; where the connection is lost the answers tell. */
  async #writeFile(begin: number): Promise<void> {
    const { source, id } = this.#file
    // Written again and again: the stream has let go of a chunk when its write is over.
    const block = Buffer.allocUnsafeSlow(Math.min(BLOCK, source.size - begin))
    for (let at = begin; at < source.size; at += block.length) {
      const part = block.subarray(0, source.size - at)
      await source.read(part, at)
      await source.check()
      for (let from = 0; from < part.length; from += CHUNK) {
        if (!(await this.#writeChunk(at + from, part.subarray(from, from + CHUNK)))) return
      }
    }
    await source.check()
    this.#isDone = true
    this.#listener.finishing()
    await this.#write({ kind: 'done', id })
  }

  async #writeChunk(offset: number, data: Uint8Array): Promise<boolean> {
    const hasRoom = () => offset + data.length - this.#acknowledged <= WINDOW
    await this.#condition.until(() => this.#stopped || hasRoom())
    if (this.#stopped || !(await this.#write({ kind: 'chunk', id: this.#file.id, offset, data })))
      return false
    this.#listener.sent(data.length)
    return true
  }

  /** False where the stream took it no more. */
  async #write(message: FileStreamMessage): Promise<boolean> {
    const pieces = encodeFileStream(message)
    try {
      await writePieces(this.#stream, pieces)
      return true
    } catch {
      return false
    }
  }
}

const WINDOW = CHUNK * WINDOW_CHUNKS
/** Half a window is read at once, so that the other half is on its way meanwhile. */
const BLOCK = WINDOW / 2
