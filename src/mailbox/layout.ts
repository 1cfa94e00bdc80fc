import { homedir } from 'node:os'
import { join } from 'node:path'
import { OwnNames, ownerIn } from './own-names.ts'

/** The paths of one folder of the mailbox. */
export interface FolderLayout {
  /** What other programs read: nothing but complete messages or files lies here, and {@link temporaries}. */
  readonly dir: string
  /**
   * The hidden subfolder for what is being written. Inside the folder, so that it is on the same file
   * system by construction; other programs skip subfolders (section 3).
   */
  readonly temporaries: string
}

/** The layout of the folder `dir`. */
export function folderLayout(dir: string): FolderLayout {
  return { dir, temporaries: join(dir, TEMPORARY) }
}

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

/** Mode of every folder that is made (section 3). */
export const FOLDER_MODE = 0o700
/** Mode of every file (section 3). */
export const FILE_MODE = 0o600
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

/** A new path for a temporary: no other process, and no other call here, uses it. */
export function temporaryPath(layout: FolderLayout): string {
  return join(layout.temporaries, temporaryNames.next())
}

/** The hidden subfolder of the received files for partial files (section 4). */
export function partialDir(receivedDir: string): string {
  return join(receivedDir, PARTIAL)
}

/** The hidden subfolder of the received files in which it is noted what is being unpacked. */
export function unpackingDir(receivedDir: string): string {
  return join(receivedDir, UNPACKING)
}

/** The path that reserves the final name `name` where the file system cannot make hard links. */
export function claimPath(layout: FolderLayout, name: string): string {
  return join(layout.temporaries, `${name}${CLAIM}`)
}

/**
 * The id of the process that made the temporary `name`, or undefined where the name does not tell. A
 * process of an earlier boot or container may have had the id of this one: `ours` tells them apart.
 */
export function temporaryOwner(name: string): { pid: number; ours: boolean } | undefined {
  const owner = ownerIn(name, TEMPORARY)
  return owner && { pid: owner.pid, ours: owner.token === temporaryNames.token }
}

const TEMPORARY = '.tmp'
const IDS = '.ids'
const JOURNAL = '.journal'
const PARTIAL = '.partial'
const RECORDS = '.records'
const CONSUMERS = '.consumers'
const UNPACKING = '.unpacking'
const CLAIM = '.claim'
const temporaryNames = new OwnNames(TEMPORARY)
