/** `pilot-dataexchange/mailbox`: the inbox and the received folder on disk, and consumers of the inbox. */

export { watchFolder } from '../disk/watch-folder.ts'
export type { MailboxConfig } from './config.ts'
export type { ConsumerOptions, MessagesOptions, NextOptions } from './consumers/consumer-options.ts'
export { InboxConsumer } from './consumers/inbox-consumer.ts'
export type { LeasedMessage } from './consumers/leased-message.ts'
export {
  clearMessages,
  countMessages,
  type DamagedMessage,
  type InboxMessage,
  isMessageName,
  listMessages,
  messagePayload,
  readMessage,
} from './inbox/read.ts'
export { Mailbox } from './mailbox.ts'
export { messageAge } from './names.ts'
export {
  clearPartials,
  clearReceived,
  isReceivedName,
  listReceived,
  type ReceivedFile,
  statReceived,
} from './received/read.ts'
