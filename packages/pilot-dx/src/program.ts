import { readFileSync } from 'node:fs'
import { Command, CommanderError, Help } from './commander.ts'
import { VERBS } from './verbs.ts'

/** Runs the command line `args`. Resolves with the exit code, after errors have been printed. */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = await createProgram(args)
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    // commander has printed the help or the version.
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const { tellFailure } = await import('./shared/failure.ts')
    return tellFailure(error, args)
  }
}

/**
 * Defines the command line for commander. Only the verb in `args` gets its options, because loading all verbs takes longer
 * than the rest of the start. The implementation of a verb is loaded when it runs.
 */
export async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('pilot-dx')
  const usages = new Map<Command, string>()
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
    .option('--json', 'print one line of JSON on stdout, and errors as one line of JSON on stderr')
    .option('--quiet', 'print results and errors only')
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: command => usages.get(command) ?? new Help().subcommandTerm(command),
      // A verb with subcommands has no operands.
      visibleGlobalOptions: command =>
        command === program ? [] : program.options.filter(({ long }) => long !== '--version'),
    })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', GENERAL_HELP)
    .showSuggestionAfterError(true)
  for (const { name, usage, summary, hidden = false, load } of VERBS) {
    const verb = program.command(name, { hidden }).summary(summary)
    usages.set(verb, `${name} ${usage}`.trimEnd())
    if (args.includes(name)) (await load())(verb)
  }
  return program
}

const GENERAL_HELP = `
A target is an address N:NNNN.HHHH.LLLL, a node id, or a hostname.
Durations have a unit: 500ms, 90s, 15m, 1h30m, 7d. Sizes: 64MiB, 1.5GiB, or bytes.

Exit codes: 0 ok, 1 refused or failed, 2 usage, 3 no daemon, 4 peer not reached, 5 timed out.

Examples:
  pilot-dx serve
  pilot-dx send-message 0:0000.0000.0001 hello
  pilot-dx inbox --since 1h`

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
