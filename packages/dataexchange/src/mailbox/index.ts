/** `pilot-dataexchange/mailbox`: the inbox and the received folder on disk, and consumers of the inbox. */

export type { MailboxConfig } from './config.ts'
export type { ConsumerOptions, MessagesOptions, NextOptions } from './consumers/consumer-options.ts'
export { InboxConsumer } from './consumers/inbox-consumer.ts'
export type { LeasedMessage } from './consumers/leased-message.ts'
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
export { Mailbox } from './mailbox.ts'
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
export type { FileRecord } from './received/records.ts'
export { type WatchReceivedOptions, watchReceived } from './received/watch.ts'
