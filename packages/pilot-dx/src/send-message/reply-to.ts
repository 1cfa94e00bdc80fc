import { readMessage } from 'pilot-dataexchange/mailbox'
import { isMessageId } from 'pilot-dataexchange/wire'
import { CliError } from '../shared/errors.ts'

/**
 * The message id of `text`: if `text` is the name of a message in the inbox `dir`, the id of that message, else `text`.
 *
 * @throws {CliError} if `text` is neither, and if the message has no id
 */
export async function replyToId(dir: string, text: string): Promise<string> {
  const message = await readMessage(dir, text.replace(/\.json$/, ''))
  if (message === undefined) {
    if (isMessageId(text) && !INBOX_ID.test(text)) return text
    throw new CliError(`${JSON.stringify(text)} is not a message of ${dir}, and no message id`, {
      envelopeCode: 'not_found',
      hint: 'pilot-dx inbox lists the messages; --inbox names another folder',
    })
  }
  if ('damaged' in message) {
    throw new CliError(`the message ${message.id} is damaged: ${message.damaged}`, {
      hint: 'give the message id that its sender has, if you know it',
    })
  }
  if (message.messageId === undefined) {
    throw new CliError(`the message ${message.id} has no message id: its sender gave it none`, {
      hint: 'send the reply without --reply-to; the sender takes the next message from here for it',
    })
  }
  return message.messageId
}

const INBOX_ID = /-\d{8}-\d{6}\.\d{3}-\d{6,16}(\.json)?$/
