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

/** Options of {@link upload}. */
export interface UploadOptions {
  listener: UploadListener
  /** Sends ABORT to the peer when it fires. */
  signal: AbortSignal
}

/**
 * Sends `file` over one connection, from the peer's offset on, and closes the connection. If sending fails on this side, it
 * sends ABORT first `[stream.send-abort]`.
 *
 * @throws {DeliveryError} PEER_REFUSED, ANSWER_INVALID, SOURCE_CHANGED, SOURCE_UNREADABLE; CONNECTION_CLOSED if the
 * connection was lost
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
    // The first failure is the reason; the other follows from it.
    answering.catch(() => {})
    return Promise.race([answering, this.#writing.then(() => answering)])
  }

  /** Sends ABORT with the reason and closes. */
  async abort(error: unknown): Promise<void> {
    this.#stopped = true
    const message = abortReason(error)
    void this.#write({ kind: 'abort', id: this.#file.id, message })
    await endStream(this.#stream)
  }

  /** Resolves when nothing of this connection reads the file. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#condition.notify()
    await this.#writing.catch(() => {})
  }

  /** The offset to resume at, or the outcome. */
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
          if (!this.#isDone) throw invalid('it claims to have stored a file before its end')
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
    // Only the text tells the failures apart. A refusal that is mistaken for a mismatch costs one more try.
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
    throw invalid(`it claims to have ${offset} bytes of a file of ${size}`)
  }

  /** Rejects if the file cannot be read. A lost connection rejects the reading of answers instead. */
  async #writeFile(begin: number): Promise<void> {
    const { source, id } = this.#file
    // Reused: the stream does not need a chunk after its write.
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

  /** False if the stream is closed. */
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
/** Half a window: one half is read from the disk while the other is sent. */
const BLOCK = WINDOW / 2
