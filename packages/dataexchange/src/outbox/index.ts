/** `pilot-dataexchange/outbox`: messages and files that wait on the disk until their peer has them. */

export type { AddOptions } from './add/adder.ts'
export type { OutboxEntry } from './entry/describe-entry.ts'
export type { TryError } from './entry/state.ts'
export { Outbox, type OutboxCounts, type OutboxOptions, type RunOptions } from './outbox.ts'
export type { OutboxEvents } from './outbox-events.ts'
export type { Network } from './run/lazy-network.ts'
