/** `pilot-dataexchange/mailbox`: the inbox and the received folder on disk, and consumers of the inbox. */

export type { FolderManifest } from '../archive/manifest.ts'
export { rfc3339 } from '../clock.ts'
export type { MailboxConfig, MailboxLimits } from './config.ts'
export type { ConsumerOptions, MessagesOptions, NextOptions } from './consumers/consumer-options.ts'
export { InboxConsumer } from './consumers/inbox-consumer.ts'
export type { LeasedMessage } from './consumers/leased-message.ts'
export type { MessageInput, StoredMessage } from './inbox/inbox.ts'
export {
  clearMessages,
  countMessages,
  type DamagedMessage,
  type InboxMessage,
  listMessages,
  type MessageFilter,
  type MessageList,
  type MessageMatch,
  messagePayload,
  readMessage,
} from './inbox/read.ts'
export { type WatchInboxOptions, watchInbox } from './inbox/watch.ts'
export { Mailbox, type MailboxEvents } from './mailbox.ts'
export type { Transfer } from './partial/transfer.ts'
export type { TransferInput } from './partial/transfers.ts'
export type { Payload } from './payload.ts'
export {
  clearPartials,
  clearReceived,
  listReceived,
  type ReceivedFile,
  type ReceivedFilter,
  type ReceivedList,
  type ReceivedMatch,
  statReceived,
} from './received/read.ts'
export type { FileInput, StoredFile } from './received/received.ts'
export type { FileRecord } from './received/records.ts'
export { type WatchReceivedOptions, watchReceived } from './received/watch.ts'
export type { UnpackOutcome } from './unpacking/unpacker.ts'
