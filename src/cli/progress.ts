import { createLogUpdate } from 'log-update'
import { bytesText, durationText } from './format.ts'
import type { Output } from './output.ts'

/** Tells how far a transfer is. */
export interface Progress {
  update(done: number, total: number): void
  /** Takes the line away. */
  end(): void
}

/**
 * A line on the terminal for a transfer that takes longer than a second; nothing where stdout or stderr is no
 * terminal, with `--json` and with `--quiet`.
 */
export function startProgress(what: string, output: Output): Progress {
  const isShown = !output.json && !output.quiet && process.stdout.isTTY && process.stderr.isTTY
  if (!isShown) return { update() {}, end() {} }
  // The cursor stays: a process that is killed could not bring it back.
  const line = createLogUpdate(process.stderr, { showCursor: true })
  const startedAt = performance.now()
  let state = { done: 0, total: 0 }
  const draw = () => line(progressText(what, state.done, state.total, performance.now() - startedAt))
  let timer = setTimeout(() => {
    timer = setInterval(draw, REDRAW_MS)
  }, PATIENCE_MS)
  return {
    update(done, total) {
      state = { done, total }
    },
    end() {
      clearTimeout(timer)
      line.clear()
    },
  }
}

/** `done` of `total` bytes, after `elapsedMs`. */
export function progressText(what: string, done: number, total: number, elapsedMs: number): string {
  if (done === 0) return `${what}  connecting`
  const percent = Math.floor((done / total) * 100)
  const rate = bytesText((done / elapsedMs) * 1000)
  const secondsLeft = Math.ceil(((elapsedMs / done) * (total - done)) / 1000)
  const left = done < total ? `${durationText(secondsLeft * 1000)} left` : 'waiting for the answer'
  return `${what}  ${percent} %  ${bytesText(done)} of ${bytesText(total)}, ${rate}/s, ${left}`
}

const PATIENCE_MS = 1_000
const REDRAW_MS = 100
