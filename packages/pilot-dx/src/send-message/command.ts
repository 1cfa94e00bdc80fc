import { type Command, Option } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import { count, positiveDuration } from '../shared/values.ts'
import type { SendMessageOptions } from './run.ts'

/** `pilot-dx send-message` */
export function describeSendMessage(verb: Command): void {
  verb
    .description('Sends a message, and ends once the peer has acknowledged it: it is in the peer’s inbox.')
    .argument('<target>', 'address, node id or hostname')
    .argument('[text]', 'the message, short for --data')
    .option('--data <text>', 'the message; - reads it from stdin')
    .option('--data-file <path>', 'file that holds the message')
    .addOption(
      new Option('--type <type>', 'type of the message').choices(['text', 'json', 'binary']).default('text'),
    )
    .option('--count <n>', 'how many times to send it, on one connection', count(1), 1)
    .option('--timeout <duration>', 'time for sending (default: 60s)', positiveDuration)
    .option('--trace', 'measure the way there and back')
    .option('--no-resend', 'when the answer is lost, do not send it once more under the same id')
    .option('--reply-to <id>', 'the message that this one answers: its message id, or its id in the inbox')
    .option(
      '--wait [duration]',
      'wait for the reply in the inbox, from the ACK on (default: 30s)',
      positiveDuration,
    )
    .option(
      '--reply-on-conn [duration]',
      'ask for the reply on the connection (default: 40s); a peer that answers none stores the request',
      positiveDuration,
    )
    .option('--queue', 'put it into the outbox: it is sent when the peer can be reached')
    .option('--expires <duration>', 'with --queue: how long it is tried (default: 7d)', positiveDuration)
    .option('--outbox <dir>', 'with --queue: the folder (default: outbox/ in the home folder)')
    .option('--inbox <dir>', 'folder of this node’s messages (default: inbox/ in the home folder)')
    .addHelpText(
      'after',
      `
Each message has an id. The reply is the one that names it (--reply-to), else, from
a peer that names none, the next message; it is printed after the ACK, alone with
--quiet. Where none comes in time the exit code is 5.
${examples([
  'pilot-dx send-message 0:0000.0000.0001 hello',
  'pilot-dx send-message alice --type json --data \'{"task":"sum","values":[1,2]}\'',
  'pilot-dx send-message alice --data-file notes.txt --json',
  'git log -1 | pilot-dx send-message alice --data -',
  'pilot-dx send-message alice "what is left to do?" --wait 2m',
  'pilot-dx send-message alice "two things" --reply-to TEXT-20260131-120000.000-000001',
  'pilot-dx send-message alice "the time?" --reply-on-conn --quiet',
  'pilot-dx send-message alice "when you are back" --queue --expires 2d',
])}`,
    )
    .action((target: string, text: string | undefined, _options: unknown, command: Command) =>
      act<SendMessageOptions>(command, async (context, options) => {
        const { sendMessage } = await import('./run.ts')
        await sendMessage(context, target, text, options)
      }),
    )
}
