import type { WaitOptions } from '../../async/wait.ts'
import type { TransferProgress } from './progress.ts'

/** Options of `transferFile()`. */
export interface TransferOptions extends WaitOptions {
  /**
   * Name that the peer is told: at most 255 bytes, without folders. That of a folder ends in `.tar`, which is added
   * where it is missing.
   * @default that of the path or the File
   */
  name?: string | undefined
  /** Of a folder: leave out links, devices, sockets and FIFOs, which else are an error. @default false */
  skipSpecial?: boolean | undefined
  /** `file` sends one FILE frame and tries nothing else. @default 'stream' */
  transport?: 'stream' | 'file' | undefined
  /** Whether a peer that does not speak FILESTREAM gets a FILE frame. @default true */
  fallback?: boolean | undefined
  /** Bytes of the largest FILE frame. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
  /** Told of every change; what it throws ends the transfer. {@link FileTransfer.progress} spares the slow. */
  onProgress?: ((progress: TransferProgress) => void) | undefined
}

/** What came of a transfer: the peer has the file. */
export interface FileReceipt {
  /** What it went by: FILESTREAM, or one FILE frame. */
  transport: 'stream' | 'file'
  /** The name that the peer was told. */
  filename: string
  /** Bytes of the file. */
  bytes: number
  /** Bytes of it that were written, those that had to be written again included. */
  bytesSent: number
  /** Bytes that the peer had of an earlier transfer. */
  bytesResumed: number
  /** Of the whole file, in hexadecimal digits. */
  sha256: string
  /** True where the peer has compared the hash of what it stored: by FILESTREAM. */
  verified: boolean
  /** From the first dial to the answer. */
  elapsedMs: number
  /** How often it was connected again. */
  reconnects: number
  /** The peer’s last word: of FILESTREAM often empty, of FILE its ACK. */
  answer: string
  /** Where a folder was sent: what went, and the paths in it of what was left out. */
  folder?: { files: number; folders: number; skipped: readonly string[] }
}

/** A transfer that is under way. */
export interface FileTransfer {
  /**
   * Resolves once the peer has stored the file. A rejection that nobody waits for does not end the process.
   *
   * @throws what `transferFile()` names
   */
  readonly result: Promise<FileReceipt>
  /**
   * The state of the transfer, again whenever it has changed since the last; ends with the transfer. A reader
   * that is slow skips states.
   */
  progress(): AsyncIterable<TransferProgress>
}
