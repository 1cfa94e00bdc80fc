import type { Command, Option } from '../commander.ts'

/**
 * Answers a completion script: the candidates for the last of `words` (empty if a new word begins), each with a tab and a
 * description, then the line `:0` if file names fit as well, else `:4`.
 */
export function complete(program: Command, words: readonly string[]): string {
  const joined = joinSplitWords(words)
  const last = joined.at(-1) ?? ''
  const { command, pending, operands, onlyOperands } = walk(program, joined.slice(0, -1))

  if (pending !== undefined) return valuesOf(pending, last)
  if (!onlyOperands) {
    const [, flag, value = ''] = /^(--[a-z0-9-]+)=(.*)$/s.exec(last) ?? []
    const option = flag === undefined ? undefined : findOption(command, flag)
    if (option !== undefined) return valuesOf(option, value)
    if (last.startsWith('-')) return answer(last, flagsOf(command))
  }
  const argument = command.registeredArguments[operands]
  const candidates = [
    ...(operands === 0 ? subcommandsOf(command) : []),
    ...(argument?.argChoices ?? []).map(value => ({ value, about: '' })),
  ]
  return answer(last, candidates, argument?.name() === 'path')
}

interface Candidate {
  value: string
  about: string
}

interface Position {
  command: Command
  /** The option that expects its value next. */
  pending: Option | undefined
  /** Operands of the command so far. */
  operands: number
  /** After `--`. */
  onlyOperands: boolean
}

/** Joins the words that bash splits at `=` and `:`. */
function joinSplitWords(words: readonly string[]): string[] {
  const joined: string[] = []
  let glue = false
  for (const word of words) {
    const isBreak = word === '=' || word === ':'
    if ((glue || isBreak) && joined.length > 0) joined.push(`${joined.pop()}${word}`)
    else joined.push(word)
    glue = isBreak
  }
  return joined
}

function walk(program: Command, words: readonly string[]): Position {
  const position: Position = { command: program, pending: undefined, operands: 0, onlyOperands: false }
  for (const word of words) {
    if (position.pending !== undefined) position.pending = undefined
    else if (position.onlyOperands) position.operands++
    else if (word === '--') position.onlyOperands = true
    else if (word.startsWith('-')) {
      const option = word.includes('=') ? undefined : findOption(position.command, word)
      if (option?.required) position.pending = option
    } else {
      const command = position.command.commands.find(sub => sub.name() === word)
      if (command !== undefined && position.operands === 0) position.command = command
      else position.operands++
    }
  }
  return position
}

function valuesOf({ argChoices, flags }: Option, typed: string): string {
  const candidates = (argChoices ?? []).map(value => ({ value, about: '' }))
  return answer(typed, candidates, /<(path|dir)>/.test(flags))
}

function findOption(command: Command, flag: string): Option | undefined {
  return optionsOf(command).find(option => option.long === flag || option.short === flag)
}

/** The options of the command and the global options, which may stand anywhere. */
function optionsOf(command: Command): Option[] {
  const help = command.createHelp()
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)]
}

function flagsOf(command: Command): Candidate[] {
  return optionsOf(command).map(({ long, description }) => ({ value: long ?? '', about: description }))
}

function subcommandsOf(command: Command): Candidate[] {
  const { commands } = command
  return command
    .createHelp()
    .visibleCommands(command)
    .filter(sub => commands.includes(sub))
    .map(sub => ({ value: sub.name(), about: sub.summary() || sub.description() }))
}

function answer(typed: string, candidates: readonly Candidate[], files = false): string {
  const lines = candidates
    .filter(({ value }) => value.startsWith(typed))
    .map(({ value, about }) => (about === '' ? value : `${value}\t${about}`))
  return [...lines, files ? ':0' : ':4', ''].join('\n')
}
