import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withWait } from '#lib/async/wait.js'

const never = () => new Promise<never>(() => {})

describe('withWait', () => {
  it('gives what the call gives', async () => {
    assert.equal(await withWait('it', {}, async () => 7), 7)
    await assert.rejects(
      withWait('it', { timeoutMs: 1000 }, async () => {
        throw new Error('mine')
      }),
      /mine/,
    )
  })

  it('gives up when the time is over, and tells the call', async () => {
    let told: AbortSignal | undefined
    const call = withWait('the call', { timeoutMs: 10 }, signal => {
      told = signal
      return never()
    })
    await assert.rejects(call, { name: 'DriverError', code: 'TIMED_OUT', message: /the call.*10 ms/ })
    assert.equal(told?.aborted, true)
    assert.match(String(told?.reason), /10 ms/)
  })

  it('gives up when the signal fires, with its reason as the cause', async () => {
    const controller = new AbortController()
    const call = withWait('it', { signal: controller.signal }, never)
    const reason = new Error('enough')
    controller.abort(reason)
    await assert.rejects(call, { name: 'AbortError', code: 'ABORTED', cause: reason })
  })

  it('does not start where the signal has fired', async () => {
    let started = false
    const call = withWait('it', { signal: AbortSignal.abort() }, async () => {
      started = true
    })
    await assert.rejects(call, { code: 'ABORTED' })
    assert.equal(started, false)
  })

  it('takes Infinity as never', async () => {
    assert.equal(await withWait('it', { timeoutMs: Number.POSITIVE_INFINITY }, async () => 1), 1)
  })

  it('leaves the signal alone afterwards', async () => {
    const controller = new AbortController()
    let inner: AbortSignal | undefined
    await withWait('it', { signal: controller.signal }, async signal => {
      inner = signal
    })
    controller.abort()
    assert.equal(inner?.aborted, false)
  })
})
