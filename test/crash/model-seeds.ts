/** Seeds of runs that have found a fault, each with the number of its commands: replayed before all others. */
export const MODEL_SEEDS: readonly (readonly [seed: number, commands: number, mailboxes?: number])[] = []
