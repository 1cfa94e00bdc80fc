import type { Command } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import { positiveDuration } from '../shared/values.ts'
import type { SendFileOptions } from './run.ts'

/** `pilot-dx send-file` */
export function describeSendFile(verb: Command): void {
  verb
    .description(
      'Sends a file, and ends once the peer has stored it and checked its SHA-256. What the peer has of it ' +
        'already is not sent again, and a lost connection is made again by itself. A peer that does not ' +
        'know such transfers gets it in one frame. A folder goes as a tar archive, which a peer with this program ' +
        'unpacks and any other keeps.',
    )
    .argument('<target>', 'address, node id or hostname')
    .argument('<path>', 'the file or folder; - for stdin, with --name')
    .option('--name <name>', 'name that the peer is told (default: that of the file, of a folder with .tar)')
    .option(
      '--timeout <duration>',
      'time that the peer may take no byte, or give no answer (default: 90s)',
      positiveDuration,
    )
    .option('--no-stream', 'send it in one frame, acknowledged and not verified')
    .option('--queue', 'put it into the outbox: it is sent when the peer can be reached')
    .option('--copy', 'with --queue: copy the file; without, it must not change until it is sent')
    .option('--expires <duration>', 'with --queue: how long it is tried (default: 7d)', positiveDuration)
    .option('--outbox <dir>', 'with --queue: the folder (default: outbox/ in the home folder)')
    .option(
      '--skip-special',
      'of a folder, leave out links, devices, sockets and FIFOs, which else are an error',
    )
    .addHelpText(
      'after',
      examples([
        'pilot-dx send-file 0:0000.0000.0001 report.pdf',
        'pilot-dx send-file alice build/out.bin --name firmware.bin',
        'pilot-dx send-file alice backup.tar --timeout 10m --json',
        'pilot-dx send-file alice report.pdf --queue --copy',
        'pilot-dx send-file alice photos/',
        'pg_dump db | pilot-dx send-file alice - --name db.sql',
        'pilot-dx send-file alice -- -odd-name.txt',
      ]),
    )
    .action((target: string, path: string, _options: unknown, command: Command) =>
      act<SendFileOptions>(command, async (context, options) => {
        const { sendFile } = await import('./run.ts')
        await sendFile(context, target, path, options)
      }),
    )
}
