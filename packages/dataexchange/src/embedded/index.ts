export { EmbeddedDaemon, type EmbeddedDaemonOptions } from './daemon.ts'
