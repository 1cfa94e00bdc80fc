import { createHash } from 'node:crypto'

/** One record of the log of message ids. */
export interface IdRecord {
  /** `about`: the file is about to get its name. `stored`: the file has its name, durably. */
  readonly kind: 'about' | 'stored'
  /** SHA-256 in hex over everything that identifies the delivery. */
  readonly digest: string
  /** When the delivery is forgotten: ms since the Unix epoch. */
  readonly expiresAt: number
  readonly folder: 'inbox' | 'received'
  /** The final name of the file. */
  readonly name: string
  /** The inode of the file. It tells this file from a later one of the same name. */
  readonly inode: number
  /** The sender, whose share of the memory the delivery takes. Empty in records of older versions. */
  readonly from: string
}

/**
 * The line of `record`: `<first 16 hex digits of the SHA-256 of the JSON> <JSON>`. The JSON is
 * `[kind, digest, expiresAt, folder, name, inode, from]`.
 */
export function encodeIdRecord(record: IdRecord): string {
  const { kind, digest, expiresAt, folder, name, inode, from } = record
  const json = JSON.stringify([kind, digest, expiresAt, folder, name, inode, from])
  return `${checksum(json)} ${json}\n`
}

/** The records in `text`, and the number of damaged lines. A torn line at the end counts as neither. */
export function decodeIdRecords(text: string): { records: IdRecord[]; damaged: number } {
  const lines = text.split('\n').slice(0, -1)
  const records = lines.map(decodeLine).filter(record => record !== undefined)
  return { records, damaged: lines.length - records.length }
}

function decodeLine(line: string): IdRecord | undefined {
  const json = line.slice(CHECKSUM_LENGTH + 1)
  if (line !== `${checksum(json)} ${json}`) return undefined
  const [kind, digest, expiresAt, folder, name, inode, from = ''] = JSON.parse(json)
  const isKnown = (folder === 'inbox' || folder === 'received') && (kind === 'about' || kind === 'stored')
  return isKnown ? { kind, digest, expiresAt, folder, name, inode, from } : undefined
}

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, CHECKSUM_LENGTH)
}

const CHECKSUM_LENGTH = 16
