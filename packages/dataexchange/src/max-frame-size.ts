import { MAX_FRAME_SIZE, maxFrameSizeFrom } from './frame-limits.ts'

/**
 * Returns the frame cap, in bytes, if no option sets it: PILOT_DATAEXCHANGE_MAX_FRAME if the variable is valid, else
 * 256 MiB `[frame.cap-default]`.
 */
export function defaultMaxFrameSize(): number {
  return maxFrameSizeFrom(process.env.PILOT_DATAEXCHANGE_MAX_FRAME) ?? MAX_FRAME_SIZE
}
