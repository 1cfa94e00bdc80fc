import { homedir } from 'node:os'
import { join } from 'node:path'
import { type FolderLayout, folderLayout } from '../disk/layout.ts'

/** The hidden subfolder of the inbox in which message ids are on record; of both folders. */
export function idsDir(inbox: FolderLayout): string {
  return join(inbox.dir, IDS)
}

/** The hidden subfolder in which small files are durable before they are so themselves. */
export function journalDir(layout: FolderLayout): string {
  return join(layout.dir, JOURNAL)
}

/** `~/.pilot/inbox` */
export function defaultInboxDir(): string {
  return join(homedir(), '.pilot', 'inbox')
}

/** `~/.pilot/received` */
export function defaultReceivedDir(): string {
  return join(homedir(), '.pilot', 'received')
}

/** How the name of a message ends, and with that what counts as one (section 3). */
export const MESSAGE_SUFFIX = '.json'

/** How the name of a record ends; before it stands the name of the file. */
export const RECORD_SUFFIX = '.json'

/** Bytes by which the longest name in a hidden subfolder is longer than that of the file it is for. */
export const HIDDEN_NAME_ROOM: number = '.json.claim'.length

/** The layout of the hidden subfolder of records beside received files. */
export function recordsLayout({ dir, temporaries }: FolderLayout): FolderLayout {
  return { dir: join(dir, RECORDS), temporaries }
}

/** The path of the record of the file `name` of the received folder `dir`. */
export function recordPath(dir: string, name: string): string {
  return join(dir, RECORDS, `${name}${RECORD_SUFFIX}`)
}

/** The layout of the hidden subfolder for the consumers of the group `group` of the inbox `inboxDir`. */
export function groupLayout(inboxDir: string, group: string): FolderLayout {
  return folderLayout(join(inboxDir, CONSUMERS, group))
}

/** The hidden subfolder of the received files for partial files (section 4). */
export function partialDir(receivedDir: string): string {
  return join(receivedDir, PARTIAL)
}

/** The hidden subfolder of the received files in which it is noted what is being unpacked. */
export function unpackingDir(receivedDir: string): string {
  return join(receivedDir, UNPACKING)
}

const IDS = '.ids'
const JOURNAL = '.journal'
const PARTIAL = '.partial'
const RECORDS = '.records'
const CONSUMERS = '.consumers'
const UNPACKING = '.unpacking'
