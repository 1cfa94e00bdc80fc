import { join } from 'node:path'
import { type FolderLayout, folderLayout } from '../disk/layout.ts'
import { defaultHome } from '../home.ts'

/** The hidden subfolder of the inbox with the log of message ids, for messages and files. */
export function idsDir(inbox: FolderLayout): string {
  return join(inbox.dir, IDS)
}

/** The hidden subfolder with the write-ahead log of small messages. */
export function journalDir(layout: FolderLayout): string {
  return join(layout.dir, JOURNAL)
}

/** `inbox` in the home folder. */
export function defaultInboxDir(): string {
  return join(defaultHome(), 'inbox')
}

/** `received` in the home folder. */
export function defaultReceivedDir(): string {
  return join(defaultHome(), 'received')
}

/** The ending of the file name of a message `[inbox.name]`. */
export const MESSAGE_SUFFIX = '.json'

/** The ending of the file name of a record, after the name of its file. */
export const RECORD_SUFFIX = '.json'

/** The bytes that names in hidden subfolders add to the name of their file, at most. */
export const HIDDEN_NAME_ADDITION: number = '.json.claim'.length

/** The layout of the hidden subfolder with the records of received files. */
export function recordsLayout({ dir, temporaries }: FolderLayout): FolderLayout {
  return { dir: join(dir, RECORDS), temporaries }
}

/** The path of the record of the file `name` of the received folder `dir`. */
export function recordPath(dir: string, name: string): string {
  return join(dir, RECORDS, `${name}${RECORD_SUFFIX}`)
}

/** The layout of the hidden subfolder of the consumer group `group` of the inbox `inboxDir`. */
export function groupLayout(inboxDir: string, group: string): FolderLayout {
  return folderLayout(join(inboxDir, CONSUMERS, group))
}

/** The hidden subfolder of the received folder with the partial files of transfers. */
export function partialDir(receivedDir: string): string {
  return join(receivedDir, PARTIAL)
}

/** The hidden subfolder of the received folder that lists the archives to unpack. */
export function unpackingDir(receivedDir: string): string {
  return join(receivedDir, UNPACKING)
}

const IDS = '.ids'
const JOURNAL = '.journal'
const PARTIAL = '.partial'
const RECORDS = '.records'
const CONSUMERS = '.consumers'
const UNPACKING = '.unpacking'
