import { CommanderError } from '../commander.ts'
import { CliError, ExitCode } from './errors.ts'
import { Output } from './output.ts'

/** Prints why the command line `args` failed. Returns the exit code. */
export function tellFailure(error: unknown, args: readonly string[]): number {
  if (!(error instanceof CommanderError)) return outputFor(args).error(error)
  // commander has printed the help of a verb without its subcommand.
  if (error.code === 'commander.help') return ExitCode.Usage
  return outputFor(args).error(usageError(error))
}

/** Reads `--json` from the arguments, because the failure came before the options were parsed. */
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
