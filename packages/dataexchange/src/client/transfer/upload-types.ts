import type { Address } from '../../pilot/address.ts'
import type { Streams } from '../../pilot/transport.ts'
import type { SeekableSource } from '../source/file-source.ts'
import type { ProgressFeed } from './progress.ts'
import type { StallTimer } from './stall-timer.ts'

/** A file to send, on one or several connections. */
export interface FileToSend {
  readonly source: SeekableSource
  readonly name: string
  /** The first bytes of {@link sha256}. */
  readonly id: Uint8Array
  readonly sha256: Uint8Array
}

/** Receives the progress of an upload. If a method throws, the upload fails. */
export interface UploadListener {
  /** The peer supports FILESTREAM and has the bytes before `offset`. */
  begun(offset: number): void
  /** `bytes` of the file were written. */
  sent(bytes: number): void
  /** The peer has all bytes before `offset`. */
  acknowledged(offset: number): void
  /** All chunks are written and DONE is next: the peer checks the file. */
  finishing(): void
}

/** The outcome of an upload. */
export type UploadOutcome =
  /** The peer has checked and stored the file; `answer` is its text. */
  | { kind: 'stored'; answer: string }
  /** The peer has all bytes, with another hash. */
  | { kind: 'mismatch'; answer: string }
  /** The answer to INIT was not FILESTREAM, did not come in time, or was the end of the connection. */
  | { kind: 'unsupported'; why: string; answered: 'other' | 'nothing' | 'close' }

/** The shared state of one transfer. */
export interface TransferJob {
  readonly driver: Pick<Streams, 'dial'>
  readonly address: Address
  readonly file: FileToSend
  readonly maxFrameSize: number
  /** Fires when the caller aborts or the transfer stalls. */
  readonly signal: AbortSignal
  readonly progress: ProgressFeed
  readonly stallTimer: StallTimer
}
