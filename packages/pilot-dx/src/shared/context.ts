import { join, resolve } from 'node:path'
import { defaultHome, defaultSocketPath } from 'pilot-dataexchange'
import type { Output } from './output.ts'

/** Options that every verb takes. */
export interface GlobalOptions {
  socket?: string
  home?: string
  json?: boolean
  quiet?: boolean
}

/** What every command works with. */
export interface Context {
  readonly socketPath: string
  /** Holds the two folders, and the identity of the embedded node. */
  readonly home: string
  readonly output: Output
}

/** Fills the global options from the environment. */
export function contextOf({ socket, home }: GlobalOptions, output: Output): Context {
  return {
    socketPath: resolve(socket || defaultSocketPath()),
    home: home ? resolve(home) : defaultHome(),
    output,
  }
}

/** The folder of messages, unless a command is told another. */
export function inboxDir(context: Context, dir?: string): string {
  return dir === undefined ? join(context.home, 'inbox') : resolve(dir)
}

/** The folder of files, unless a command is told another. */
export function receivedDir(context: Context, dir?: string): string {
  return dir === undefined ? join(context.home, 'received') : resolve(dir)
}

/** The folder of what waits to be sent, unless a command is told another. */
export function outboxDir(context: Context, dir?: string): string {
  return dir === undefined ? join(context.home, 'outbox') : resolve(dir)
}
