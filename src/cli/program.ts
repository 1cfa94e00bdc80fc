import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { CliError, ExitCode } from './errors.ts'
import { Output } from './output.ts'
import { addCompletion } from './verbs/completion.ts'
import { examples } from './verbs/help.ts'
import { addInbox } from './verbs/inbox.ts'
import { addOutbox } from './verbs/outbox.ts'
import { addReceived } from './verbs/received.ts'
import { addSendFile } from './verbs/send-file.ts'
import { addSendMessage } from './verbs/send-message.ts'
import { addServe } from './verbs/serve.ts'
import { addStatus } from './verbs/status.ts'
import { addTrace } from './verbs/trace.ts'

/** Runs the command line `args` and resolves with the exit code; errors have been told then. */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = createProgram()
  try {
    await program.parseAsync(args, { from: 'user' })
    return ExitCode.Ok
  } catch (error) {
    if (!(error instanceof CommanderError)) return outputFor(args).error(error)
    // Help and the version were asked for, and have been printed.
    if (error.exitCode === 0) return ExitCode.Ok
    if (error.code === 'commander.help') return ExitCode.Usage
    return outputFor(args).error(usageError(error))
  }
}

/** The whole command line as commander knows it. Implementations are loaded when their verb is run. */
export function createProgram(): Command {
  const program = new Command('pilot-dx')
  program
    .description(
      'Data exchange between Pilot agents: messages and files, acknowledged once they are durable.',
    )
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .option('--socket <path>', 'socket of the Pilot daemon (default: PILOT_SOCKET, else the usual place)')
    .option(
      '--home <dir>',
      'folder of inbox/, received/, outbox/ and the identity (default: PILOT_HOME, else ~/.pilot)',
    )
    .option('--json', 'one line of JSON on stdout, errors as one line of JSON on stderr')
    .option('--quiet', 'print results and errors only')
    .configureHelp({
      showGlobalOptions: true,
      // Not those of a verb that has verbs of its own.
      visibleGlobalOptions: command =>
        command === program ? [] : program.options.filter(({ long }) => long !== '--version'),
    })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', GENERAL_HELP)
    .showSuggestionAfterError(true)
  for (const add of VERBS) add(program)
  return program
}

const VERBS = [
  addServe,
  addSendMessage,
  addSendFile,
  addInbox,
  addReceived,
  addOutbox,
  addTrace,
  addStatus,
  addCompletion,
]

const GENERAL_HELP = `
A target is an address N:NNNN.HHHH.LLLL, a node id, or a hostname.
Durations have a unit: 500ms, 90s, 15m, 1h30m, 7d. Sizes: 64MiB, 1.5GiB, or bytes.

Exit codes: 0 ok, 1 refused or failed, 2 usage, 3 no daemon, 4 peer not reached, 5 timed out.
${examples(['pilot-dx serve', 'pilot-dx send-message 0:0000.0000.0001 hello', 'pilot-dx inbox --since 1h'])}`

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** What failed before or while the options were read, as the options ask for it. */
function outputFor(args: readonly string[]): Output {
  const end = args.indexOf('--')
  const options = end < 0 ? args : args.slice(0, end)
  return new Output({ json: options.includes('--json') })
}

function usageError(error: CommanderError): CliError {
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const hint =
    more
      .join(' ')
      .trim()
      .replace(/^\((.*)\)$/, '$1') || 'see pilot-dx --help, or pilot-dx VERB --help'
  return new CliError(first, { hint })
}
