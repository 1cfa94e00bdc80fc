import type { Part } from '../bench.ts'
import { codec } from './codec.ts'
import { eventLoop } from './event-loop.ts'
import { files } from './files.ts'
import { floor } from './floor.ts'
import { growth } from './growth.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { original } from './original.ts'
import { cap, service } from './service.ts'
import { startup } from './startup.ts'

/** All parts, in the order in which they run: those that delete many files come last (see `deletionsSlowCreations`). */
export const PARTS: Readonly<Record<string, Part>> = {
  startup,
  codec,
  floor,
  service,
  latency,
  loop: eventLoop,
  growth,
  idle,
  cap,
  files,
  original,
}
