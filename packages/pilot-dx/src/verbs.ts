import type { Command } from './commander.ts'

/** A verb as in `pilot-dx --help`. The rest is loaded when the command line names the verb. */
export interface Verb {
  readonly name: string
  /** Usage after the name. */
  readonly usage: string
  readonly summary: string
  readonly hidden?: true
  /** Loads the options and the action of the verb. */
  readonly load: () => Promise<(verb: Command) => void>
}

/** The verbs in the order of the help. */
export const VERBS: readonly Verb[] = [
  {
    name: 'serve',
    usage: '[options]',
    summary: 'receive messages and files',
    load: async () => (await import('./serve/command.ts')).describeServe,
  },
  {
    name: 'send-message',
    usage: '[options] <target> [text]',
    summary: 'send a message to a peer’s inbox',
    load: async () => (await import('./send-message/command.ts')).describeSendMessage,
  },
  {
    name: 'send-file',
    usage: '[options] <target> <path>',
    summary: 'send a file or a folder to a peer’s received folder',
    load: async () => (await import('./send-file/command.ts')).describeSendFile,
  },
  {
    name: 'inbox',
    usage: '[options]',
    summary: 'list, read, watch, process or clear received messages',
    load: async () => (await import('./inbox/command.ts')).describeInbox,
  },
  {
    name: 'received',
    usage: '[options]',
    summary: 'list, watch or clear received files',
    load: async () => (await import('./received/command.ts')).describeReceived,
  },
  {
    name: 'outbox',
    usage: '[options]',
    summary: 'list, retry, cancel or send queued messages',
    load: async () => (await import('./outbox/command.ts')).describeOutbox,
  },
  {
    name: 'trace',
    usage: '[options] <target>',
    summary: 'measure the round trip to a peer',
    load: async () => (await import('./trace/command.ts')).describeTrace,
  },
  {
    name: 'status',
    usage: '[options]',
    summary: 'print the state of the daemon, this node and its folders',
    load: async () => (await import('./status/command.ts')).describeStatus,
  },
  {
    name: 'completion',
    usage: '<shell>',
    summary: 'print the completion script of a shell',
    load: async () => (await import('./completion/command.ts')).describeCompletion,
  },
  {
    name: 'complete',
    usage: '[words...]',
    summary: '',
    hidden: true,
    load: async () => (await import('./completion/command.ts')).describeComplete,
  },
]
