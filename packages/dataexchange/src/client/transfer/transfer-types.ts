import type { WaitOptions } from '../../async/wait.ts'
import type { TransferProgress } from './progress.ts'

/** Options of `transferFile()`. */
export interface TransferOptions extends Pick<WaitOptions, 'signal'> {
  /** Maximum time without progress, in milliseconds. The transfer is given up then. @default 60000 */
  stallTimeoutMs?: number | undefined
  /**
   * Name for the peer: at most 255 bytes, without folders. `.tar` is appended to the name of a folder if it is missing.
   * @default the name of the path or the File
   */
  name?: string | undefined
  /** Whether to leave out links, devices, sockets and FIFOs in a folder, which are an error otherwise. @default false */
  skipSpecial?: boolean | undefined
  /** `file` sends one FILE frame instead of FILESTREAM. @default 'stream' */
  transport?: 'stream' | 'file' | undefined
  /** Whether a peer without FILESTREAM gets a FILE frame `[stream.send-fallback]`. @default true */
  fallback?: boolean | undefined
  /** Bytes of the largest FILE frame. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
  /** Called on each change; if it throws, the transfer fails. {@link FileTransfer.progress} suits slow readers. */
  onProgress?: ((progress: TransferProgress) => void) | undefined
}

/** The receipt of a transfer: the peer has stored the file. */
export interface FileReceipt {
  /** `stream` for FILESTREAM, `file` for one FILE frame. */
  transport: 'stream' | 'file'
  /** The name for the peer. */
  filename: string
  /** Bytes of the file. */
  size: number
  /** Written bytes of the file, including repeated ones. */
  bytesSent: number
  /** Bytes that the peer had from an earlier transfer. */
  bytesResumed: number
  /** SHA-256 of the file in hexadecimal digits. */
  sha256: string
  /** True if the peer has verified the hash: with FILESTREAM. */
  verified: boolean
  /** Milliseconds from the first dial to the answer. */
  elapsedMs: number
  /** Number of reconnects. */
  reconnects: number
  /** The text of the peer's last answer: for FILESTREAM often empty, for FILE its ACK. */
  answer: string
  /** For a folder: the numbers of sent files and folders, and the relative paths that were left out. */
  folder?: { files: number; folders: number; skipped: readonly string[] }
}

/** A running transfer. */
export interface FileTransfer {
  /**
   * Resolves when the peer has stored the file. An unhandled rejection does not end the process.
   *
   * @throws the errors of `transferFile()`
   */
  readonly result: Promise<FileReceipt>
  /**
   * The state of the transfer after each change; ends with the transfer. A slow reader skips states.
   */
  progress(): AsyncIterable<TransferProgress>
}
