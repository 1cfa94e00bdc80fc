import { access, constants } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DurableFolder } from '../disk/durable-folder.ts'
import { folderLayout } from '../disk/layout.ts'
import { sweepTemporaries } from '../disk/sweep.ts'
import { MailboxError } from '../errors.ts'
import { configuredLimit, FIXED_LIMITS, LIMITS } from '../limits.ts'
import { type Logger, silentLogger } from '../logger.ts'
import { type MailboxConfig, type MailboxLimits, mailboxLimits, senderShare } from './config.ts'
import { Deliveries, type Outcome } from './ids/deliveries.ts'
import type { Delivery, DeliveryIdentity } from './ids/delivery.ts'
import { IdLog } from './ids/id-log.ts'
import { Inbox, type MessageInput, type StoredMessage } from './inbox/inbox.ts'
import { defaultInboxDir, defaultReceivedDir, idsDir } from './layout.ts'
import type { Transfer } from './partial/transfer.ts'
import { type TransferInput, Transfers } from './partial/transfers.ts'
import { type Payload, PayloadFailure } from './payload.ts'
import { ReceivedQuota } from './received/quota.ts'
import { type FileInput, Received, type StoredFile } from './received/received.ts'
import { storeFailure } from './store-failed.ts'
import { StoreSlots } from './store-slots.ts'
import { Unpacker, type UnpackOutcome } from './unpacking/unpacker.ts'

/**
 * Message ids that are remembered, also after a restart; beyond it the sender with the most ids loses its
 * oldest.
 * @limit count
 */
export const IDS_REMEMBERED = 8_192

export type { MessageInput, StoredMessage } from './inbox/inbox.ts'
export type { Transfer } from './partial/transfer.ts'
export type { TransferInput } from './partial/transfers.ts'
export type { Payload } from './payload.ts'
export type { FileInput, StoredFile } from './received/received.ts'
export type { UnpackOutcome } from './unpacking/unpacker.ts'

/** The callbacks of a {@link Mailbox}. */
export interface MailboxEvents {
  /** The archive of a folder, stored as `unpacking`, was unpacked or stays as a file. */
  onUnpacked?: ((outcome: UnpackOutcome) => void) | undefined
}

/**
 * The inbox and the received folder of one node. A store resolves when its data is complete, durable and visible under
 * its final name, which is the meaning of an ACK. If it rejects, nothing is left behind. Several mailboxes, also of
 * several processes, can share the folders.
 */
export class Mailbox {
  /** Absolute path of the folder of messages. */
  readonly inboxDir: string
  /** Absolute path of the folder of files. */
  readonly receivedDir: string
  /** The limits of the folders in force. A limit that is off is `Infinity`. */
  readonly limits: MailboxLimits
  readonly #inbox: Inbox
  readonly #received: Received
  readonly #idLog: IdLog
  readonly #deliveries: Deliveries
  readonly #transfers: Transfers
  readonly #unpacker: Unpacker | undefined
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  private constructor(config: MailboxConfig, logger: Logger, folders: Folders, events: MailboxEvents) {
    this.inboxDir = folders.inbox.layout.dir
    this.receivedDir = folders.received.layout.dir
    this.limits = mailboxLimits(config)
    const { inboxMaxFiles: maxFiles, inboxMaxBytes: maxBytes } = this.limits
    const slots = new StoreSlots()
    this.#inbox = new Inbox(folders.inbox, {
      includeBase64: config.includeBase64 ?? false,
      durable: config.durability !== 'os',
      limits: { maxFiles, maxBytes, share: senderShare(config), whenFull: config.whenFull ?? 'evict' },
      slots,
      logger,
    })
    const { receivedMaxFiles, receivedMaxBytes } = this.limits
    const quota = new ReceivedQuota(folders.received, {
      maxFiles: receivedMaxFiles,
      maxBytes: receivedMaxBytes,
    })
    this.#received = new Received(folders.received, { quota, slots })
    const { onUnpacked: onOutcome = () => {} } = events
    if (config.unpack !== false) {
      const { records } = this.#received
      this.#unpacker = new Unpacker(folders.received, { quota, records, logger, onOutcome })
    }
    this.#transfers = new Transfers(folders.received.layout.dir, {
      quota,
      received: {
        publish: async (file, finished) => this.#queueUnpacking(await this.#received.publish(file, finished)),
      },
      durable: config.durability !== 'os',
      partialTimeoutMs: configuredLimit(config.partialTimeoutMs, LIMITS.partialTimeout),
      transferStallTimeoutMs: configuredLimit(config.transferStallTimeoutMs, LIMITS.transferStall),
      logger,
    })
    this.#idLog = new IdLog(idsDir(folders.inbox.layout), config.durability !== 'os')
    const remembered = { lifetime: FIXED_LIMITS.idLifetime.value, max: IDS_REMEMBERED }
    this.#deliveries = new Deliveries(this.#idLog, { ...remembered, logger })
  }

  /**
   * Opens the folders: creates missing ones with mode 0700, deletes the temporary files of dead processes, recovers
   * messages that a power cut has taken, and counts messages and files.
   *
   * @throws {MailboxError} STORE_FAILED if a folder cannot be used, the file system's error as `cause`
   * @throws {PluginError} CONFIG_INVALID if `config.inboxShare` is not in (0, 1]
   */
  static async open(
    config: MailboxConfig = {},
    logger: Logger = silentLogger,
    events: MailboxEvents = {},
  ): Promise<Mailbox> {
    const durable = config.durability !== 'os'
    const folders = {
      inbox: new DurableFolder(folderLayout(resolve(config.inboxDir ?? defaultInboxDir())), durable),
      received: new DurableFolder(folderLayout(resolve(config.receivedDir ?? defaultReceivedDir())), durable),
    }
    const mailbox = new Mailbox(config, logger, folders, events)
    await prepare(folders.inbox, () => mailbox.#inbox.load(), logger)
    await prepare(folders.received, () => mailbox.#loadReceived(), logger)
    const { inbox, received } = folders
    const has = async (name: string, inode: number) =>
      mailbox.#inbox.hasRestored(name) || inbox.has(name, inode)
    await orStoreFailure(
      mailbox.inboxDir,
      mailbox.#deliveries.load({ inbox: { has, sync: () => inbox.sync() }, received }),
    )
    mailbox.#inbox.loaded()
    await orStoreFailure(mailbox.receivedDir, mailbox.#unpacker?.load() ?? Promise.resolve())
    return mailbox
  }

  /**
   * Stores a message as one JSON file in the inbox, and evicts the oldest messages past the limits. A payload in pieces
   * is spooled to the disk, so that memory stays bounded. A message with a `messageId` that was stored in the last 10
   * minutes with the same payload, also before a restart, is a duplicate and not stored `[tagged.duplicate]`.
   *
   * @throws {MailboxError} INBOX_FULL if the message exceeds the limits of the inbox by itself, or the inbox is full
   * and `whenFull` is `refuse`; STORE_FAILED, the file system's error as `cause`; MAILBOX_CLOSED. Errors that the
   * pieces of the payload throw are rethrown.
   */
  async storeMessage(message: MessageInput, payload: Payload): Promise<StoredMessage> {
    const { inboxDir } = this
    const { name, duplicate } = await this.#track(inboxDir, () =>
      this.#storeOnce({ ...message, folder: 'inbox' }, payload, (body, delivery) =>
        this.#inbox.store(message, body, delivery),
      ),
    )
    return { path: join(inboxDir, name), size: message.length, duplicate }
  }

  /**
   * Stores a file in the received folder, under a name made of the sender's `[received.name]`. Pieces go to the disk as
   * they arrive. A file with a `messageId` is stored once, see {@link storeMessage}.
   *
   * @throws {MailboxError} RECEIVED_FULL if the file does not fit; STORE_FAILED, the file system's error as `cause`;
   * MAILBOX_CLOSED. Errors that the pieces of the payload throw are rethrown.
   */
  async storeFile(file: FileInput, payload: Payload): Promise<StoredFile> {
    const { receivedDir } = this
    const identity = { from: '', ...file, type: 'FILE', folder: 'received' } as const
    const { name, duplicate } = await this.#track(receivedDir, () =>
      this.#storeOnce(identity, payload, (body, delivery) => this.#received.store(file, body, delivery)),
    )
    const stored = { path: join(receivedDir, name), name, size: file.length, duplicate }
    return duplicate ? stored : this.#queueUnpacking(stored)
  }

  /**
   * Starts or resumes the transfer of a file in chunks. Its partial file is in `received/.partial/`; the resume
   * offset is `Transfer.offset`. An open transfer of the same file and owner is closed first.
   *
   * @throws {MailboxError} RECEIVED_FULL if the rest of the file does not fit; TRANSFERS_FULL if too many are open;
   * STORE_FAILED, the file system's error as `cause`; MAILBOX_CLOSED
   */
  openTransfer(transfer: TransferInput): Promise<Transfer> {
    return this.#track(this.receivedDir, () => this.#transfers.open(transfer))
  }

  /**
   * Closes the mailbox. Resolves when the running stores have settled; later ones reject with MAILBOX_CLOSED. Open
   * transfers are closed, and their partial files stay. The next mailbox resumes unpacking.
   */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
    await this.#transfers.close()
    await this.#unpacker?.close()
    await this.#idLog.close()
    await this.#inbox.close()
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #loadReceived(): Promise<void> {
    await this.#received.load()
    await this.#transfers.load()
  }

  async #queueUnpacking(stored: StoredFile): Promise<StoredFile> {
    const unpacking = await this.#unpacker?.add(stored.name)
    return unpacking ? { ...stored, unpacking } : stored
  }

  async #storeOnce(
    identity: Omit<DeliveryIdentity, 'messageId'> & { messageId?: string },
    payload: Payload,
    store: (payload: Payload, delivery?: Delivery) => Promise<string | undefined>,
  ): Promise<Outcome> {
    const { messageId } = identity
    if (messageId !== undefined) return this.#deliveries.once({ ...identity, messageId }, payload, store)
    return { name: (await store(payload)) ?? '', duplicate: false }
  }

  async #track<T>(dir: string, store: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new MailboxError('MAILBOX_CLOSED', 'the mailbox has been closed')
    const running = store()
    this.#running.add(running)
    try {
      return await orStoreFailure(dir, running)
    } finally {
      this.#running.delete(running)
    }
  }
}

interface Folders {
  readonly inbox: DurableFolder
  readonly received: DurableFolder
}

async function prepare(folder: DurableFolder, load: () => Promise<void>, logger: Logger): Promise<void> {
  const { dir, temporaries } = folder.layout
  try {
    await folder.make()
    for (const path of [dir, temporaries])
      await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    const swept = await sweepTemporaries(folder.layout)
    if (swept > 0) logger.info({ dir, swept }, 'temporary files of dead processes were deleted')
    await load()
  } catch (error) {
    throw storeFailure(dir, error)
  }
}

async function orStoreFailure<T>(dir: string, running: Promise<T>): Promise<T> {
  try {
    return await running
  } catch (error) {
    throw error instanceof PayloadFailure ? error.cause : storeFailure(dir, error)
  }
}
