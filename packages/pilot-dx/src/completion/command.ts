import { Argument, type Command } from '../commander.ts'
import { examples } from '../shared/help.ts'

/** `pilot-dx completion` */
export function describeCompletion(verb: Command): void {
  verb
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
      const { printCompletionScript } = await import('./script.ts')
      await printCompletionScript(shell)
    })
}

/** The hidden verb `complete` that the scripts call. */
export function describeComplete(verb: Command): void {
  verb.argument('[words...]').action(async (words: string[]) => {
    const { complete } = await import('./complete.ts')
    process.stdout.write(complete(verb.parent ?? verb, words))
  })
}
