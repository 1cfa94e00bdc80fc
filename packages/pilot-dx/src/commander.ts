import { createRequire } from 'node:module'
import type * as Commander from 'commander'

// commander is CommonJS. An import would first scan its files for export names; a require does not, which saves each run
// some ms.
const commander = createRequire(import.meta.url)('commander') as typeof Commander

export const Argument: typeof Commander.Argument = commander.Argument
export type Command = Commander.Command
export const Command: typeof Commander.Command = commander.Command
export type CommanderError = Commander.CommanderError
export const CommanderError: typeof Commander.CommanderError = commander.CommanderError
export const Help: typeof Commander.Help = commander.Help
export const InvalidArgumentError: typeof Commander.InvalidArgumentError = commander.InvalidArgumentError
export type Option = Commander.Option
export const Option: typeof Commander.Option = commander.Option
