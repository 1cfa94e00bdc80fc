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

/** Dependencies of every command. */
export interface Context {
  readonly socketPath: string
  /** The home folder: inbox, received folder, outbox, and the identity of the embedded node. */
  readonly home: string
  readonly output: Output
}

/** Completes the global options from the environment. */
export function contextOf({ socket, home }: GlobalOptions, output: Output): Context {
  return {
    socketPath: resolve(socket || defaultSocketPath()),
    home: home ? resolve(home) : defaultHome(),
    output,
  }
}

/** The default inbox. */
export function inboxDir(context: Context, dir?: string): string {
  return dir === undefined ? join(context.home, 'inbox') : resolve(dir)
}

/** The default received folder. */
export function receivedDir(context: Context, dir?: string): string {
  return dir === undefined ? join(context.home, 'received') : resolve(dir)
}

/** The default outbox. */
export function outboxDir(context: Context, dir?: string): string {
  return dir === undefined ? join(context.home, 'outbox') : resolve(dir)
}
