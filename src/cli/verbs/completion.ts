import { Argument, type Command } from 'commander'
import { examples } from './help.ts'

/** `pilot-dx completion`, and the hidden `complete` that its scripts call. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print the completion script of a shell')
    .description('Prints the script that completes pilot-dx commands in a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examples([
        'source <(pilot-dx completion bash)                                   # in ~/.bashrc',
        'source <(pilot-dx completion zsh)                                    # in ~/.zshrc, after compinit',
        'pilot-dx completion fish > ~/.config/fish/completions/pilot-dx.fish',
      ]),
    )
    .action(async (shell: string) => {
      const { printCompletionScript } = await import('../commands/completion.ts')
      await printCompletionScript(shell)
    })

  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const { complete } = await import('../commands/complete.ts')
      process.stdout.write(complete(program, words))
    })
}
