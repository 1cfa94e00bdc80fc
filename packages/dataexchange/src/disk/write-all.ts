import { writeSync } from 'node:fs'

/**
 * Writes all of `pieces`. `write` gets the pieces that remain and returns the number of bytes it has written: a write
 * call of the system may write less than it is given, and reports that only by this number.
 */
export async function writeAll(
  pieces: readonly Uint8Array[],
  write: (rest: readonly Uint8Array[]) => Promise<number>,
): Promise<void> {
  let rest = pieces.filter(piece => piece.length > 0)
  while (rest.length > 0) rest = withoutFirst(rest, checkProgress(await write(rest)))
}

/** Writes all of `bytes` with synchronous calls: at `position`, or at the current position if it is null. */
export function writeAllSync(fd: number, bytes: Uint8Array, position: number | null = null): void {
  for (let at = 0; at < bytes.length; ) {
    at += checkProgress(writeSync(fd, bytes, at, bytes.length - at, position === null ? null : position + at))
  }
}

function checkProgress(written: number): number {
  if (written > 0) return written
  throw new Error('the file system wrote none of the bytes and reported no error')
}

function withoutFirst(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count
  const rest: Uint8Array[] = []
  for (const piece of pieces) {
    if (skip >= piece.length) skip -= piece.length
    else {
      rest.push(skip === 0 ? piece : piece.subarray(skip))
      skip = 0
    }
  }
  return rest
}
