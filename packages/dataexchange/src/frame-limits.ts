/**
 * The numbers that the wire format needs, apart from the texts in `limits.ts`: a bundle of `wire/` for a
 * browser holds nothing else of the limits.
 */

import { GiB, KiB, MiB } from './bytes.ts'
import { PluginError } from './errors.ts'

/** The default of `maxFrameSize`, the largest payload of a frame: 256 MiB `[frame.cap-default]`. */
export const MAX_FRAME_SIZE: number = 256 * MiB

/** Bytes of the longest file name, both in a frame (UTF-8) and on the disk with its suffix. @limit bytes */
export const MAX_FILE_NAME = 255

/** The smallest value of PILOT_DATAEXCHANGE_MAX_FRAME; a smaller one is ignored. @limit bytes */
export const MAX_FRAME_SIZE_FLOOR: number = 64 * KiB

/** The largest value of PILOT_DATAEXCHANGE_MAX_FRAME; a larger one is ignored. @limit bytes */
export const MAX_FRAME_SIZE_CEILING: number = 2 * GiB

/**
 * Returns the cap on payloads that an option `maxFrameSize` sets, in bytes; `fallback` if it is undefined.
 *
 * @throws {PluginError} CONFIG_INVALID if `value` is not a number: no length would ever exceed it
 */
export function frameCap(value: number | undefined, fallback: number = MAX_FRAME_SIZE): number {
  return value === undefined ? fallback : checkNumber('maxFrameSize', value)
}

/**
 * Returns `value`, which the option `name` sets.
 *
 * @throws {PluginError} CONFIG_INVALID if it is not a number: nothing would ever exceed such a limit
 */
export function checkNumber(name: string, value: number): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value
  throw new PluginError('CONFIG_INVALID', `${name} is ${value}; it must be a number`)
}

/**
 * Parses the variable PILOT_DATAEXCHANGE_MAX_FRAME. Returns the frame cap in bytes, or undefined if `text` is
 * undefined, is not a whole number, or lies outside 64 KiB to 2 GiB: such a value is ignored
 * `[frame.cap-env-range]`.
 */
export function maxFrameSizeFrom(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  const size = Number(text)
  return size >= MAX_FRAME_SIZE_FLOOR && size <= MAX_FRAME_SIZE_CEILING ? size : undefined
}
