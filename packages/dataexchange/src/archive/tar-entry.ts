/** One file or folder of an archive. */
export interface TarEntry {
  /** The path with `/` as its separator and none at the end. */
  readonly path: string
  readonly kind: 'file' | 'folder'
  /** The size of a file in bytes; 0 for folders. */
  readonly size: number
  /** Permission bits. */
  readonly mode: number
  /** The modification time in whole seconds since the Unix epoch. */
  readonly mtime: number
}

/** Bytes of a block. Headers take whole blocks, and content is padded to whole blocks. */
export const BLOCK_SIZE = 512

/** Bytes of the end mark of an archive, all zero. */
export const END_SIZE: number = 2 * BLOCK_SIZE

/** Rounds `size` up to whole blocks. */
export function inBlocks(size: number): number {
  return Math.ceil(size / BLOCK_SIZE) * BLOCK_SIZE
}
