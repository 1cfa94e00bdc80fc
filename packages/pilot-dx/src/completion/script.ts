import tab from '@bomb.sh/tab'

/**
 * Prints the completion script of `shell`, one of bash, zsh and fish. All of them call `pilot-dx complete`.
 * That of bash is written here: the library's needs bash-completion, runs what is substituted in the words
 * being completed, and cannot complete file names.
 */
export async function printCompletionScript(shell: string): Promise<void> {
  if (shell === 'bash') process.stdout.write(BASH)
  else tab.setup('pilot-dx', 'pilot-dx', shell)
}

const BASH = `# bash completion for pilot-dx

_pilot_dx() {
    local IFS=$'\\n' line directive=0
    COMPREPLY=()
    while read -r line; do
        case "$line" in
            :*) directive="\${line#:}" ;;
            *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
        esac
    done < <(pilot-dx complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if (( \${#COMPREPLY[@]} == 0 && (directive & 4) == 0 )); then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
    fi
}

complete -F _pilot_dx pilot-dx
`
