import { MAX_FRAME_SIZE, maxFrameSizeFrom } from './frame-limits.ts'

/** The frame cap where none is configured: PILOT_DATAEXCHANGE_MAX_FRAME if it is set and valid, else 256 MiB (section 1). */
export function defaultMaxFrameSize(): number {
  return maxFrameSizeFrom(process.env.PILOT_DATAEXCHANGE_MAX_FRAME) ?? MAX_FRAME_SIZE
}
