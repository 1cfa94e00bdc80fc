/** `pilot-dataexchange/embedded`: a Pilot daemon for one machine, in this process. */

export { EmbeddedDaemon, type EmbeddedDaemonOptions } from './daemon.ts'
