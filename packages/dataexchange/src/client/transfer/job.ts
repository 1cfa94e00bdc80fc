import type { Address } from '../../pilot/address.ts'
import type { Streams } from '../../pilot/transport.ts'
import type { ProgressFeed } from './progress.ts'
import type { FileToSend } from './upload-types.ts'
import type { Watchdog } from './watchdog.ts'

/** One transfer, as its parts share it. */
export interface Job {
  readonly driver: Pick<Streams, 'dial'>
  readonly address: Address
  readonly file: FileToSend
  readonly maxFrameSize: number
  /** Fires when the caller gives up, or the watchdog does. */
  readonly signal: AbortSignal
  readonly progress: ProgressFeed
  readonly watchdog: Watchdog
}
