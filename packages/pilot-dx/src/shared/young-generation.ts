import { setFlagsFromString } from 'node:v8'

/**
 * Keeps the young generation of the heap at its first size. What streams through this process is garbage at once,
 * and its bytes lie outside of the heap: they are given back only when the young generation is collected, so that
 * one that has grown holds tens of MB of it. A small one takes less memory and, its pages being warm, less time.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
