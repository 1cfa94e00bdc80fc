/** One file or folder of an archive. */
export interface TarEntry {
  /** Names with `/` between them, without one at the end. */
  readonly path: string
  readonly kind: 'file' | 'folder'
  /** Bytes of a file; 0 for folders. */
  readonly size: number
  /** Permission bits. */
  readonly mode: number
  /** When it was written: whole seconds since the Unix epoch. */
  readonly mtime: number
}

/** What archives are made of: headers take whole blocks, and content is filled up to one. */
export const BLOCK_SIZE = 512

/** Bytes of the mark at the end of an archive, all zero. */
export const END_SIZE: number = 2 * BLOCK_SIZE

/** `size` rounded up to whole blocks. */
export function inBlocks(size: number): number {
  return Math.ceil(size / BLOCK_SIZE) * BLOCK_SIZE
}
