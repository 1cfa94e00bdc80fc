import { Driver } from 'pilot-dataexchange'
import { Outbox } from 'pilot-dataexchange/outbox'
import { type Context, outboxDir } from '../shared/context.ts'
import { deadline } from '../shared/deadline.ts'
import { CliError, ExitCode } from '../shared/errors.ts'
import { plural } from '../shared/format.ts'
import { createLogger } from '../shared/serve-log.ts'
import { StopSignals } from '../shared/stop-signals.ts'
import { keepYoungGenerationSmall } from '../shared/young-generation.ts'
import type { OutboxRunOptions } from './list.ts'

/** Sends the outbox until a signal, or until it is empty. */
export async function runOutbox(
  context: Context,
  { outbox: dir, untilEmpty = false, timeout }: OutboxRunOptions,
): Promise<void> {
  keepYoungGenerationSmall()
  const { output, socketPath } = context
  if (timeout !== undefined && !untilEmpty) throw new CliError('--timeout goes with --until-empty')
  const outbox = await Outbox.open({ dir: outboxDir(context, dir) })
  const signals = new StopSignals()
  const ending = new AbortController()
  void signals.stopped.then(() => ending.abort())
  let isOverTime = false
  const timer = deadline(timeout, () => {
    isOverTime = true
    ending.abort()
  })
  const counts = { delivered: 0, failed: 0 }
  try {
    await outbox.run({
      driver: () => Driver.connect(socketPath),
      signal: ending.signal,
      untilEmpty,
      logger: createLogger(output),
      events: {
        publish: (topic, payload) => {
          counts[topic === 'outbox.delivered' ? 'delivered' : 'failed']++
          if (output.json && !untilEmpty) output.item({ event: topic, ...payload }, () => '')
        },
      },
    })
  } finally {
    clearTimeout(timer)
    signals.forget()
  }
  if (untilEmpty && !signals.signal.aborted) await tellEnd(context, outbox, counts, isOverTime)
}

async function tellEnd(
  { output }: Context,
  outbox: Outbox,
  { delivered, failed }: { delivered: number; failed: number },
  isOverTime: boolean,
): Promise<void> {
  const { queued } = await outbox.counts()
  const details = { delivered, failed, queued }
  if (isOverTime && queued > 0) {
    throw new CliError(
      `${plural(queued, 'message')} could not be delivered in time; they stay in the outbox`,
      {
        exitCode: ExitCode.TimedOut,
        envelopeCode: 'timeout',
        details,
      },
    )
  }
  if (failed > 0) {
    throw new CliError(`${plural(failed, 'message')} failed, ${delivered} delivered`, {
      exitCode: ExitCode.Failed,
      envelopeCode: 'internal',
      hint: 'pilot-dx outbox --failed shows why',
      details,
    })
  }
  output.confirm(details, () => `${plural(delivered, 'message')} delivered`)
}
