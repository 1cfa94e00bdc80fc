import type { Address } from '../../pilot/address.ts'
import type { Streams } from '../../pilot/transport.ts'
import type { SeekableSource } from '../source/file-source.ts'
import type { ProgressFeed } from './progress.ts'
import type { StallTimer } from './stall-timer.ts'

/** A file that is to be sent, on one connection or on several. */
export interface FileToSend {
  readonly source: SeekableSource
  readonly name: string
  /** The first bytes of {@link sha256}. */
  readonly id: Uint8Array
  readonly sha256: Uint8Array
}

/** Who is told how an upload goes on. What they throw ends it. */
export interface UploadListener {
  /** The peer speaks FILESTREAM, and has the bytes before `offset`. */
  begun(offset: number): void
  /** `bytes` of the file were written. */
  sent(bytes: number): void
  /** The peer has all bytes before `offset`. */
  acknowledged(offset: number): void
  /** All is written but for DONE; the peer then checks what it has. */
  finishing(): void
}

/** How an upload ended that did not fail. */
export type UploadOutcome =
  /** The peer has checked it and stored it; `answer` is what it said. */
  | { kind: 'stored'; answer: string }
  /** The peer has all bytes, and their hash is another. */
  | { kind: 'mismatch'; answer: string }
  /** INIT was answered with nothing of FILESTREAM, with nothing in time, or with the end of the connection. */
  | { kind: 'unsupported'; why: string; answered: 'other' | 'nothing' | 'close' }

/** One transfer, as its parts share it. */
export interface TransferJob {
  readonly driver: Pick<Streams, 'dial'>
  readonly address: Address
  readonly file: FileToSend
  readonly maxFrameSize: number
  /** Fires when the caller gives up, or the stallTimer does. */
  readonly signal: AbortSignal
  readonly progress: ProgressFeed
  readonly stallTimer: StallTimer
}
