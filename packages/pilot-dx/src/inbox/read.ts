import { messagePayload, readMessage } from 'pilot-dataexchange/mailbox'
import { type Context, inboxDir } from '../shared/context.ts'
import { CliError, ExitCode } from '../shared/errors.ts'
import { messageRecord } from '../shared/message-record.ts'
import { safeBlock } from '../shared/safe-text.ts'

/** Prints the data of the message `id`: its raw bytes, or safe text on a terminal. */
export async function readInbox(context: Context, id: string, options: { dir?: string }): Promise<void> {
  const dir = inboxDir(context, options.dir)
  const message = await readMessage(dir, id.replace(/\.json$/, ''))
  if (message === undefined) {
    throw new CliError(`there is no message ${JSON.stringify(id)} in ${dir}`, {
      exitCode: ExitCode.Usage,
      envelopeCode: 'not_found',
      hint: 'pilot-dx inbox lists the ids',
    })
  }
  if ('damaged' in message) {
    throw new CliError(`the message ${message.id} is damaged: ${message.damaged}`, {
      exitCode: ExitCode.Failed,
      envelopeCode: 'internal',
    })
  }
  if (context.output.json) context.output.result(messageRecord(message), () => '')
  else if (process.stdout.isTTY) context.output.result(message, () => safeBlock(message.data))
  else await write(messagePayload(message))
}

function write(bytes: Uint8Array): Promise<void> {
  return new Promise(resolve => process.stdout.write(bytes, () => resolve()))
}
