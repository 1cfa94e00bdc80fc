import { createLogUpdate } from 'log-update'
import type { TransferProgress } from 'pilot-dataexchange'
import { bytesText, durationText } from '../shared/format.ts'
import type { Output } from '../shared/output.ts'

/** Shows the progress of a transfer. */
export interface Progress {
  update(this: void, progress: TransferProgress): void
  /** Removes the line. */
  end(): void
}

/**
 * A progress line on the terminal, for a transfer that takes longer than a second. Prints nothing if stdout or stderr is
 * not a terminal, or with `--json` or `--quiet`.
 */
export function startProgress(what: string, output: Output): Progress {
  const isShown = !output.json && !output.quiet && process.stdout.isTTY && process.stderr.isTTY
  if (!isShown) return { update() {}, end() {} }
  // The cursor stays visible, because a killed process could not restore it.
  const line = createLogUpdate(process.stderr, { showCursor: true })
  let latest: TransferProgress | undefined
  const draw = () => {
    if (latest !== undefined) line(progressText(what, latest))
  }
  let timer = setTimeout(() => {
    timer = setInterval(draw, REDRAW_MS)
  }, PATIENCE_MS)
  return {
    update(progress) {
      latest = progress
    },
    end() {
      clearTimeout(timer)
      line.clear()
    },
  }
}

/** One state of a transfer as a line. */
export function progressText(what: string, progress: TransferProgress): string {
  const { phase, bytesDone, total, bytesPerSecond, etaMs, reconnects } = progress
  if (phase === 'hashing') return `${what}  reading ${bytesText(total)}`
  if (phase === 'connecting' && reconnects === 0) return `${what}  connecting`
  const part = total === 0 ? 1 : bytesDone / total
  const bar = '█'.repeat(Math.floor(part * BAR_WIDTH)).padEnd(BAR_WIDTH, '░')
  const amount = `${bar} ${Math.floor(part * 100)} %  ${bytesText(bytesDone)} of ${bytesText(total)}`
  if (phase === 'connecting') return `${what}  ${amount}, connection lost, connecting again`
  const rate = `${bytesText(Math.round(bytesPerSecond))}/s`
  if (phase === 'finishing') return `${what}  ${amount}, ${rate}, waiting for the answer`
  const left = etaMs === undefined ? '' : `, ${durationText(Math.ceil(etaMs / 1000) * 1000)} left`
  return `${what}  ${amount}, ${rate}${left}`
}

const BAR_WIDTH = 20
const PATIENCE_MS = 1_000
const REDRAW_MS = 100
