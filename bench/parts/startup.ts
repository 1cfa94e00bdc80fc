import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Part } from '../bench.ts'
import { measure } from '../rounds.ts'

const CLI = fileURLToPath(new URL('../../../packages/pilot-dx/dist/main.js', import.meta.url))
/** Three samples a round: they are short. */
const TIMES = 3

/** How long the command takes to say how it is used, against a Node that does nothing. */
export const startup: Part = async function* (bench) {
  const contender = (name: string, ...args: string[]) => ({
    name,
    sample: async () => {
      const startedAt = performance.now()
      execFileSync(process.execPath, args, { stdio: 'ignore' })
      return { time: performance.now() - startedAt }
    },
  })
  yield* await measure({
    id: 'startup',
    title: 'start-up of the command',
    metrics: { time: { unit: 'ms' } },
    comparisons: [
      { of: 'pilot-dx --help', to: 'node -e 0' },
      { of: 'pilot-dx --version', to: 'node -e 0' },
    ],
    rounds: bench.rounds * TIMES,
    contenders: [
      contender('node -e 0', '-e', '0'),
      contender('pilot-dx --help', CLI, '--help'),
      contender('pilot-dx --version', CLI, '--version'),
    ],
  })
}
