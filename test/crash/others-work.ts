import { readFileSync } from 'node:fs'
import { processorTicks } from '../helpers/processor-ticks.js'

/** Measures the processor time of all processes but a few, from its creation on. */
export class OthersWork {
  readonly #pids: readonly number[]
  readonly #start: Ticks

  /** `pids` are those few. */
  constructor(pids: readonly number[]) {
    this.#pids = pids
    this.#start = this.#read()
  }

  /** So far: none is 0, all of the processors' time is 1. */
  get share(): number {
    const { busy, all, known } = this.#read()
    return (busy - this.#start.busy - (known - this.#start.known)) / (all - this.#start.all)
  }

  #read(): Ticks {
    const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
    // The time of guests, in the last two columns, is in the first two.
    const columns = line.split(/\s+/).slice(1, 9).map(Number)
    const [, , , idle = 0, waiting = 0] = columns
    const all = sum(columns)
    return { busy: all - idle - waiting, all, known: sum(this.#pids.map(processorTicks)) }
  }
}

/** As `processorTicks` has them. */
interface Ticks {
  readonly busy: number
  readonly all: number
  /** The processor time of the few. */
  readonly known: number
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
